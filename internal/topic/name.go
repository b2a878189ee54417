package topic

// Name is the topic's name in a deployment of several orgs: the org's alias before it, unless that is empty.
func Name(org, name string) string {
	if org == "" {
		return name
	}
	return org + "." + name
}
