package topic

// OrgName is what the org of an alias is called in keys, members, headers, labels and paths: by its alias, or "default" when it has
// none. The empty text is accepted for it where records of others are read.
func OrgName(alias string) string {
	if alias == "" {
		return "default"
	}
	return alias
}

// Name is the topic's name in a deployment of several orgs: the org's alias before it, unless that is empty.
func Name(org, name string) string {
	if org == "" {
		return name
	}
	return org + "." + name
}
