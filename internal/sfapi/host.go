package sfapi

import (
	"fmt"
	"net/url"
	"strings"
)

// salesforceDomains are the domains whose hosts may be given a token. Everything that Salesforce names as a login host,
// an instance or a My Domain ends in one of them.
var salesforceDomains = []string{
	"salesforce.com", "force.com", "salesforce.mil", "cloudforce.com", "database.com", "sfcrmproducts.cn", "sfcrmapps.cn",
}

// checkHost returns scheme and host of raw, or an error naming key when raw is not an address that may be given a
// token: https to a host of Salesforce's, or anything http(s) when anyHost is set.
func checkHost(key, raw string, anyHost bool) (origin string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("%s %q is not an address: write it like https://example.my.salesforce.com", key, raw)
	}
	if !anyHost {
		if u.Scheme != "https" {
			return "", fmt.Errorf("%s %q does not use https: Salesforce is spoken to over https only (allow_any_host: true permits a simulator)", key, raw)
		}
		if !salesforceHost(u.Hostname()) {
			return "", fmt.Errorf("%s %q is not a host of Salesforce's, and a token is sent to no other: correct the address, or set allow_any_host: true if it is a simulator or a proxy of yours", key, raw)
		}
	}
	return u.Scheme + "://" + u.Host, nil
}

func salesforceHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, d := range salesforceDomains {
		if strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}
