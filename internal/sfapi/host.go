package sfapi

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// salesforceDomains are the domains whose hosts may be given a token. Everything that Salesforce names as a login host,
// an instance or a My Domain ends in one of them.
var salesforceDomains = []string{
	"salesforce.com", "force.com", "salesforce.mil", "cloudforce.com", "database.com", "sfcrmproducts.cn", "sfcrmapps.cn",
}

// trust says which hosts may be given a token.
type trust int

const (
	trustSalesforce trust = iota // https to a host of Salesforce's
	trustLoopback                // or this machine itself, where a simulator or a proxy of the operator's listens
	trustAny                     // or any, by allow_any_host
)

// configuredTrust is the trust in an address that the operator wrote: what leads to this machine needs no further word.
func configuredTrust(anyHost bool) trust {
	if anyHost {
		return trustAny
	}
	return trustLoopback
}

// repliedTrust is the trust in an address that the login at loginURL named: only what runs on this machine may name this
// machine.
func repliedTrust(loginURL string, anyHost bool) trust {
	u, err := url.Parse(loginURL)
	if !anyHost && (err != nil || !loopback(u.Hostname())) {
		return trustSalesforce
	}
	return configuredTrust(anyHost)
}

// checkHost returns scheme and host of raw, or an error naming key when raw is not an address that may be given a token.
func checkHost(key, raw string, t trust) (origin string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("%s %q is not an address: write it like https://example.my.salesforce.com", key, raw)
	}
	if t == trustSalesforce || t == trustLoopback && !loopback(u.Hostname()) {
		if u.Scheme != "https" {
			return "", fmt.Errorf("%s %q does not use https: Salesforce is spoken to over https only (allow_any_host: true permits a simulator)", key, raw)
		}
		if !salesforceHost(u.Hostname()) {
			return "", fmt.Errorf("%s %q is not a host of Salesforce's, and a token is sent to no other: correct the address, or set allow_any_host: true if it is a simulator or a proxy of yours", key, raw)
		}
	}
	return u.Scheme + "://" + u.Host, nil
}

// loopback reports whether host can only be this machine.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
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
