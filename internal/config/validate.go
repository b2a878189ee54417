package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/sfapi"
)

// Errors are all that is wrong with a configuration, a sentence each.
type Errors []error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%d errors:\n  - %s", len(lines), strings.Join(lines, "\n  - "))
}

// Unwrap lets errors.Is and errors.As look at each.
func (e Errors) Unwrap() []error { return e }

var (
	aliasForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	versionForm  = regexp.MustCompile(`^[0-9]{2,3}\.0$`)
	wholeVersion = regexp.MustCompile(`^[0-9]{2,3}$`)
	patternForm  = regexp.MustCompile(`^[A-Za-z0-9_*?]+$`)
	groupForm    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	fieldForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
)

// Validate reports every error at once, each with its key and what to write instead.
func (c *Config) Validate() error {
	var e Errors
	e.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	e.oneOf("log.format", c.Log.Format, "text", "json")
	e.oneOf("kafka.compression", c.Kafka.Compression, "none", "snappy", "lz4", "zstd", "gzip")
	for i, b := range c.Kafka.Brokers {
		e.hostPort(fmt.Sprintf("kafka.brokers[%d]", i), b)
	}
	e.hostPort("kafka.listen", c.Kafka.Listen)
	e.hostPort("console.listen", c.Console.Listen)
	if c.Kafka.Partitions < 1 || c.Kafka.Partitions > 1000 {
		e.add("kafka.partitions is %d; give a number from 1 to 1000", c.Kafka.Partitions)
	}
	if !groupForm.MatchString(c.Kafka.Group) {
		e.add("kafka.group %q is no name for a consumer group; use letters, digits, '.', '_' and '-', up to 249", c.Kafka.Group)
	}
	if c.Kafka.SessionTimeout < time.Second {
		e.add("kafka.session_timeout is %s; give at least what the broker allows, 6s unless it was changed", c.Kafka.SessionTimeout)
	}
	if s := c.Matcher.Standbys; s != nil && (*s < 0 || *s > 9) {
		e.add("matcher.standbys is %d; give a number from 0 to 9", *s)
	}
	if c.Matcher.MemoryLimitMB < 0 {
		e.add("matcher.memory_limit_mb is %d; give megabytes, or 0 for no limit", c.Matcher.MemoryLimitMB)
	}
	if c.Kafka.SASL.Mechanism != "" {
		e.oneOf("kafka.sasl.mechanism", c.Kafka.SASL.Mechanism, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
		if c.Kafka.SASL.Username == "" || c.Kafka.SASL.Password == "" {
			e.add("kafka.sasl.mechanism is set but kafka.sasl.username or kafka.sasl.password is not; set both")
		}
	}
	if (c.Kafka.TLS.CertFile == "") != (c.Kafka.TLS.KeyFile == "") {
		e.add("kafka.tls.cert_file and kafka.tls.key_file go together; set both or none")
	}
	if c.SchemaRegistry.URL != "" {
		e.url("schema_registry.url", c.SchemaRegistry.URL)
	}
	if len(c.Kafka.Brokers) > 0 && c.SchemaRegistry.URL == "" {
		e.add("kafka.brokers is set but schema_registry.url is not; give the registry that belongs to that Kafka")
	}
	seen := map[string]bool{}
	for i := range c.Orgs {
		o := &c.Orgs[i]
		e.org(fmt.Sprintf("orgs[%d]", i), o, len(c.Orgs))
		if seen[o.Alias] && o.Alias != "" {
			e.add("orgs[%d].alias %q is used twice; give each org its own", i, o.Alias)
		}
		seen[o.Alias] = true
	}
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e *Errors) org(at string, o *Org, count int) {
	if o.Alias == "" && count > 1 {
		e.add("%s.alias is missing; with several orgs each needs one (it prefixes the org's topics)", at)
	}
	if o.Alias != "" && !aliasForm.MatchString(o.Alias) {
		e.add("%s.alias %q: use letters, digits, - and _, at most 40", at, o.Alias)
	}
	if *o.OrphanGrace < 0 {
		e.add("%s.orphan_grace is negative; give 0 or more, e.g. 60s", at)
	}
	if o.ViewMaxBytes < 10_000 || o.ViewMaxBytes > 64<<20 {
		e.add("%s.view_max_bytes is %d; give 10000 to %d, below the broker's message limit", at, o.ViewMaxBytes, 64<<20)
	}
	e.salesforce(at+".salesforce", &o.Salesforce)
	e.fields(at+".salesforce.fields.Account", "Account", o.Salesforce.Fields.Account, o.Link.SalesforceField)
	e.fields(at+".salesforce.fields.Contact", "Contact", o.Salesforce.Fields.Contact, "")
	e.link(at+".link", o.Link)
	e.erp(at+".erp", &o.ERP)
}

func (e *Errors) salesforce(at string, s *Salesforce) {
	e.url(at+".login_url", s.LoginURL)
	if s.InstanceURL != "" {
		e.url(at+".instance_url", s.InstanceURL)
	}
	if s.StreamingURL != "" {
		e.url(at+".streaming_url", s.StreamingURL)
	}
	if !versionForm.MatchString(s.APIVersion) {
		e.add("%s.api_version %q: write it as 66.0", at, s.APIVersion)
	}
	if r := s.APIReserve; r != nil && (*r < 0 || *r > 0.95) {
		e.add("%s.api_reserve is %v; give the share of the org's limits that is left to other apps, from 0 to 0.95", at, *r)
	}
	for i, n := range s.Notes.Objects {
		e.oneOf(fmt.Sprintf("%s.notes.objects[%d]", at, i), n, "Note", "Task", "ContentNote")
	}
	for _, d := range []struct {
		key   string
		value *time.Duration
	}{{"poll_interval", &s.PollInterval}, {"sweep_interval", s.SweepInterval}, {"refresh_interval", s.RefreshInterval}} {
		if d.value != nil && *d.value < 0 {
			e.add("%s.%s is negative; give a time such as 5m", at, d.key)
		}
	}
	a := s.Auth
	if a.Flow == "" {
		if a.ClientID != "" || a.Username != "" || a.PrivateKeyFile != "" {
			e.add("%s.auth.flow is missing; give web_server, jwt, client_credentials or password", at)
		}
		return
	}
	need := func(name, value string) {
		if value == "" {
			e.add("%s.auth.%s is missing; the %s flow needs it", at, name, a.Flow)
		}
	}
	need("client_id", a.ClientID)
	switch a.Flow {
	case "web_server":
		if a.RedirectURL != "" {
			e.url(at+".auth.redirect_url", a.RedirectURL)
		}
	case "jwt":
		need("username", a.Username)
		need("private_key_file", a.PrivateKeyFile)
	case "client_credentials":
		need("client_secret", a.ClientSecret.Reveal())
	case "password":
		need("client_secret", a.ClientSecret.Reveal())
		need("username", a.Username)
		need("password", a.Password.Reveal())
	default:
		e.add("%s.auth.flow %q is unknown; give web_server, jwt, client_credentials or password", at, a.Flow)
	}
}

// fields refuses what is no name, and what would leave out a field that is needed; link is the field that links customers.
func (e *Errors) fields(at, object string, s Selection, link string) {
	for _, p := range slices.Concat(s.Include, s.Exclude) {
		if !patternForm.MatchString(p) {
			e.add("%s has %q, which is no API name; give names such as Phone or Billing*", at, p)
		}
	}
	needed := sfapi.Needed(object)
	if link != "" {
		needed = append(needed, sfapi.NeededField{Name: link, Why: "it links accounts to customers (link.salesforce_field)"})
	}
	for _, p := range s.Exclude {
		for _, n := range needed {
			if sfapi.Matches(p, n.Name) {
				e.add("%s.exclude has %q, but %s cannot be left out: %s; remove it, or write it so that it does not match", at, p, n.Name, n.Why)
			}
		}
	}
}

func (e *Errors) link(at string, l Link) {
	if !l.Set() {
		return
	}
	if l.SalesforceField == "" || l.ERPField == "" {
		e.add("%s needs salesforce_field and erp_field; set both, or none to show nothing yet", at)
	}
	if l.SalesforceField != "" && !fieldForm.MatchString(l.SalesforceField) {
		e.add("%s.salesforce_field %q is no API name; give one such as ERP_Customer_No__c", at, l.SalesforceField)
	}
	e.oneOf(at+".cardinality", l.Cardinality, "one_to_one", "many_accounts", "many_customers", "many_to_many")
	e.oneOf(at+".near_miss", l.NearMiss, "on", "off")
}

func (e *Errors) add(format string, args ...any) { *e = append(*e, fmt.Errorf(format, args...)) }

func (e *Errors) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		e.add("%s %q is unknown; give %s", key, value, strings.Join(allowed, ", "))
	}
}

func (e *Errors) hostPort(key, value string) {
	if _, port, err := net.SplitHostPort(value); err != nil || port == "" {
		e.add("%s %q is no address; write host:port", key, value)
	}
}

func (e *Errors) url(key, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		e.add("%s is no http or https address; write https://host", key)
	}
}
