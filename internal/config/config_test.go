package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const whole = `
data_dir: /tmp/x
kafka:
  brokers: ["a:9092", "b:9092"]
  sasl: {mechanism: SCRAM-SHA-512, username: u, password: hunter2}
schema_registry: {url: "http://localhost:8081"}
orgs:
- alias: acme
  orphan_grace: 0s
  salesforce:
    login_url: https://acme.my.salesforce.com
    api_reserve: 0
    auth: {flow: password, client_id: k, client_secret: s, username: u, password: p, security_token: t}
  link: {salesforce_field: ERP_Customer_No__c, erp_field: identifier}
  erp:
    sources:
    - name: ar
      columns: {number: CustNo, name: "Cust Name"}
`

func load(t *testing.T, text string, env ...string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crosswalk.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, env)
}

func TestLoadWhole(t *testing.T) {
	t.Parallel()
	c, err := load(t, whole,
		"CROSSWALK_ORGS_0_SALESFORCE_AUTH_CLIENT_SECRET=from-env", "CROSSWALK_KAFKA_BROKERS=c:1, d:2",
		"CROSSWALK_ORGS_0_SALESFORCE_API_VERSION=67.0", "CROSSWALK_ORGS_0_ERP_SOURCES_0_COLUMNS_BALANCE=Saldo",
		"CROSSWALK_ORGS_1_ALIAS=second", "CROSSWALK_SECRET_KEY=ignored", "PATH=/bin")
	if err != nil {
		t.Fatal(err)
	}
	o := c.Orgs[0]
	if got := o.Salesforce.Auth.ClientSecret.Reveal(); got != "from-env" {
		t.Errorf("client secret %q: the environment wins", got)
	}
	if strings.Join(c.Kafka.Brokers, "|") != "c:1|d:2" || o.Salesforce.APIVersion != "67.0" || o.ERP.Sources[0].Columns["balance"] != "Saldo" {
		t.Errorf("environment not laid over: %v %q %v", c.Kafka.Brokers, o.Salesforce.APIVersion, o.ERP.Sources[0].Columns)
	}
	if *o.OrphanGrace != 0 || *c.Orgs[1].OrphanGrace != time.Minute {
		t.Errorf("orphan_grace: 0 said is 0, unsaid is a minute; got %v and %v", *o.OrphanGrace, *c.Orgs[1].OrphanGrace)
	}
	if *o.Salesforce.APIReserve != 0 || *c.Orgs[1].Salesforce.APIReserve != 0.2 {
		t.Errorf("api_reserve: 0 said is 0, unsaid is a fifth; got %v and %v", *o.Salesforce.APIReserve, *c.Orgs[1].Salesforce.APIReserve)
	}
	if o.Link.Cardinality != "one_to_one" || o.Link.NearMiss != "on" || c.Kafka.Partitions != 4 {
		t.Errorf("defaults not filled: %+v", o.Link)
	}
}

// TestFlowStyle reads the short form of the README, addresses unquoted.
func TestFlowStyle(t *testing.T) {
	t.Parallel()
	c, err := load(t, "kafka: {brokers: [127.0.0.1:9092, kafka-1:9093], tls: {enabled: true}}\nschema_registry: {url: http://localhost:8081}\n")
	if err != nil || strings.Join(c.Kafka.Brokers, "|") != "127.0.0.1:9092|kafka-1:9093" || c.SchemaRegistry.URL != "http://localhost:8081" {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	if _, err := Load("", nil); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		env  []string
		want []string
	}{
		"unknown key with a neighbour": {"data_dir: x\nkafak: {}\n", nil, []string{"crosswalk.yaml", "line 2", `"kafak"`, `"kafka"`}},
		"unknown nested key":           {"orgs:\n- alias: a\n  salesforce:\n    zzzz: 1\n", nil, []string{"line 4", `"zzzz"`}},
		"no share":                     {"orgs: [{salesforce: {api_reserve: 1.5}}]\n", nil, []string{"orgs[0].salesforce.api_reserve is 1.5", "from 0 to 0.95"}},
		"wrong type":                   {"kafka:\n  partitions: many\n", nil, []string{"line 2"}},
		"broken yaml":                  {"kafka: [\n", nil, []string{"crosswalk.yaml"}},
		"all errors at once": {
			"log: {level: loud}\norgs:\n- {alias: 'a b', salesforce: {auth: {flow: magic, client_id: x}}, link: {salesforce_field: X__c}}\n", nil,
			[]string{"log.level", "orgs[0].alias", "auth.flow", "link needs", "4 errors"},
		},
		"flow's needs":        {"orgs: [{salesforce: {auth: {flow: jwt}}}]\n", nil, []string{"client_id", "username", "private_key_file"}},
		"registry beside":     {"kafka: {brokers: ['a:1']}\n", nil, []string{"schema_registry.url"}},
		"broker without port": {"kafka: {brokers: [a]}\nschema_registry: {url: 'http://x'}\n", nil, []string{"kafka.brokers[0]", "host:port"}},
		"no group":            {"kafka: {group: 'a b'}\n", nil, []string{`kafka.group "a b" is no name`}},
		"unknown environment": {"", []string{"CROSSWALK_KAFAK=x"}, []string{"CROSSWALK_KAFAK"}},
		"environment type":    {"", []string{"CROSSWALK_KAFKA_PARTITIONS=x"}, []string{"CROSSWALK_KAFKA_PARTITIONS", "whole number"}},
		"environment hole":    {"", []string{"CROSSWALK_ORGS_3_ALIAS=x"}, []string{"CROSSWALK_ORGS_3_ALIAS", "number items"}},
		"source without key":  {"orgs: [{erp: {sources: [{name: a}]}}]\n", nil, []string{"columns.number"}},
		"unknown member":      {"orgs: [{erp: {sources: [{name: a, columns: {number: N, phonee: P}}]}}]\n", nil, []string{"phonee", "phone"}},
		"unknown object": {
			"orgs:\n- salesforce:\n    fields:\n      Acount: {include: [Name]}\n", nil,
			[]string{"line 4", `fields cannot be chosen of "Acount"; give Account or Contact`},
		},
		"needed fields": {
			"orgs: [{salesforce: {fields: {Contact: {exclude: [accountid]}, Account: {exclude: ['System*', ERP__c]}}}, link: {salesforce_field: ERP__c, erp_field: identifier}}]\n", nil,
			[]string{
				`orgs[0].salesforce.fields.Contact.exclude has "accountid", but AccountId cannot be left out: it says to which account a contact belongs`,
				`orgs[0].salesforce.fields.Account.exclude has "System*", but SystemModstamp cannot be left out: it tells which of two versions`,
				`orgs[0].salesforce.fields.Account.exclude has "ERP__c", but ERP__c cannot be left out: it links accounts to customers`, "3 errors",
			},
		},
		"no field":             {"orgs: [{salesforce: {fields: {Account: {include: ['Billing City']}}}}]\n", nil, []string{"fields.Account", `"Billing City"`, "no API name"}},
		"secret is not quoted": {"orgs: [{salesforce: {auth: {flow: password, password: hunter2, oops: hunter2}}}]\n", nil, []string{"oops"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.text, c.env...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %s", err)
			}
		})
	}
}

func TestFieldsAreChosen(t *testing.T) {
	t.Parallel()
	c, err := load(t, "orgs: [{salesforce: {fields: {Account: {include: [Name, 'Billing*'], exclude: [BillingLatitude]}}}}]\n",
		"CROSSWALK_ORGS_0_SALESFORCE_FIELDS_CONTACT_EXCLUDE=Email, Birthdate")
	if err != nil {
		t.Fatal(err)
	}
	f := c.Orgs[0].Salesforce.Fields
	if got := fmt.Sprint(f.Account.Include, f.Account.Exclude, f.Contact.Include, f.Contact.Exclude); got != "[Name Billing*] [BillingLatitude] [] [Email Birthdate]" {
		t.Errorf("chosen: %s", got)
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if err == nil || !strings.Contains(err.Error(), "none.yaml") || !strings.Contains(err.Error(), "--config") {
		t.Fatalf("error %v must name the file and the flag", err)
	}
}

func TestERPSources(t *testing.T) {
	t.Parallel()
	c, err := load(t, `
orgs:
- erp:
    push: {listen: "127.0.0.1:8443"}
    sources:
    - {name: drop, folder: {path: /srv/erp}, preset: sap, columns: {balance: DMBTR}}
    - {name: pushed, token: 0123456789abcdef}
    - {name: db, postgres: {url: "postgres://u:p@h/d", query: SELECT 1}, deleted_column: gone}
    - {name: legacy, topic: {name: legacy.customers}}
    - {name: hand, format: json}
`, "CROSSWALK_ORGS_0_ERP_SOURCES_0_DECIMAL_COMMA=false", "CROSSWALK_ORGS_0_ERP_SOURCES_2_POSTGRES_INTERVAL=10s")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Orgs[0].ERP.Sources
	if f := s[0].Folder; f.Pattern != "*" || f.Settle != 10*time.Second || f.Interval != 5*time.Second || s[0].DecimalComma == nil || *s[0].DecimalComma {
		t.Errorf("folder %+v, decimal comma %v", f, s[0].DecimalComma)
	}
	if p := s[2].Postgres; p.Interval != 10*time.Second || p.FullEvery != 24*time.Hour || s[2].DeletedValues[0] != "true" {
		t.Errorf("postgres %+v", p)
	}
	if s[3].Topic.Format != "avro" || s[3].Topic.KeyFormat != "text" || c.Orgs[0].ERP.Push.MaxBodyBytes != 16<<20 || s[4].Encoding != "auto" || s[4].KeySeparator != "-" {
		t.Errorf("sources %+v", s)
	}
}

func TestERPErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ erp, want string }{
		"token without address": {"sources: [{name: a, token: 0123456789abcdef}]", "orgs[0].erp.push.listen is missing"},
		"short token":           {"push: {listen: 'h:1'}, sources: [{name: a, token: hunter2}]", "sources[0].token has fewer than 16"},
		"push address":          {"push: {listen: h}", "orgs[0].erp.push.listen"},
		"half a certificate":    {"push: {cert_file: c}", "push.cert_file and key_file go together"},
		"body":                  {"push: {max_body_bytes: 7}", "push.max_body_bytes is 7"},
		"two origins":           {"sources: [{name: a, path: p, folder: {path: f}, columns: {number: N}}]", "sources[0] has folder and path; keep one"},
		"pattern":               {"sources: [{name: a, folder: {path: f, pattern: '['}, columns: {number: N}}]", "folder.pattern"},
		"settle":                {"sources: [{name: a, folder: {path: f, settle: -1s}, columns: {number: N}}]", "folder.settle is -1s"},
		"no query":              {"sources: [{name: a, postgres: {url: 'postgres://h/d'}}]", "postgres.query is missing"},
		"overlap":               {"sources: [{name: a, postgres: {url: 'postgres://h/d', query: q, overlap: much}}]", `postgres.overlap "much" is neither`},
		"topic format":          {"sources: [{name: a, topic: {name: t, format: xml}}]", "topic.format"},
		"preset":                {"sources: [{name: a, preset: oracle}]", `sources[0].preset "oracle" is unknown; give dynamics365, netsuite`},
		"encoding":              {"sources: [{name: a, encoding: latin1, columns: {number: N}}]", "sources[0].encoding"},
		"format":                {"sources: [{name: a, format: xml, columns: {number: N}}]", "sources[0].format"},
		"zone":                  {"sources: [{name: a, time_zone: Mars, columns: {number: N}}]", `time_zone "Mars" is unknown`},
		"skip":                  {"sources: [{name: a, skip_rows: ['('], columns: {number: N}}]", "skip_rows"},
		"optional":              {"sources: [{name: a, optional: [fax], columns: {number: N}}]", `"fax" is no member`},
		"share":                 {"sources: [{name: a, max_delete_share: 2, columns: {number: N}}]", "max_delete_share is 2"},
		"name twice":            {"sources: [{name: a, preset: sap}, {name: a, preset: sap}]", `sources[1].name "a" is used twice`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, "orgs: [{erp: {"+c.erp+"}}]\n")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a token: %v", err)
			}
		})
	}
}

// TestShortForms: what a person writes without having read how, and cannot mean anything else.
func TestShortForms(t *testing.T) {
	t.Parallel()
	c, err := load(t, `
kafka: {brokers: "a:1, b:2", tls: true, session_timeout: 7, group: payroll.eu, sasl: {mechanism: plain, username: u, password: 1234}}
schema_registry: {url: http://x}
orgs:
- orphan_grace: 0
  salesforce: {api_version: v66, silence_limit: 1.5, fields: {Account: {exclude: Fax}}}
  link: {salesforce_field: Id, erp_field: x, near_miss: false}
`)
	if err != nil {
		t.Fatal(err)
	}
	o := c.Orgs[0]
	got := fmt.Sprintln(c.Kafka.Brokers, c.Kafka.TLS.Enabled, c.Kafka.SessionTimeout, c.Kafka.Group, c.Kafka.SASL.Mechanism, c.Kafka.SASL.Password.Reveal(),
		*o.OrphanGrace, o.Salesforce.APIVersion, o.Salesforce.SilenceLimit, o.Salesforce.Fields.Account.Exclude, o.Link.NearMiss)
	if want := "[a:1 b:2] true 7s payroll.eu PLAIN 1234 0s 66.0 1.5s [Fax] off\n"; got != want {
		t.Errorf("read as %s, want %s", got, want)
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "kafak: {}\nkafka: {partitions: many, url: x}\nlog: {level: loud}\n", "CROSSWALK_KAFKA_BROKES=x", "CROSSWALK_KAFKA_PARTITIONS=y", "CROSSWALK_DATADIR=z", "CROSSWALK_ORGS_0_ALIS=a")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`line 1: unknown key "kafak"; did you mean "kafka"`, "line 2: the value is no number", `line 2: the key "url" does not belong here, where brokers,`,
		`log.level "loud"`, "CROSSWALK_KAFKA_BROKES names no configuration key; did you mean CROSSWALK_KAFKA_BROKERS",
		"CROSSWALK_KAFKA_PARTITIONS: not a whole number", "did you mean CROSSWALK_DATA_DIR", "CROSSWALK_ORGS_0_ALIS", "8 errors",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	c, err := load(t, "", "CROSSWALK_SERVICE_HOST=10.0.0.7", "CROSSWALK_PORT_8080_TCP=tcp://10.0.0.7:8080", "CROSSWALK_LOG_LEVEL=warn")
	if err != nil || c.Log.Level != "warn" {
		t.Fatalf("%+v, %v", c, err)
	}
	if fmt.Sprint(c.Ignored) != "[CROSSWALK_PORT_8080_TCP CROSSWALK_SERVICE_HOST]" {
		t.Errorf("ignored %v", c.Ignored)
	}
}

func TestListItemsByNumber(t *testing.T) {
	t.Parallel()
	env := []string{"CROSSWALK_SCHEMA_REGISTRY_URL=http://x", "CROSSWALK_KAFKA_BROKERS_1=b:2", "CROSSWALK_KAFKA_BROKERS_0=a:1"}
	for i := range 11 {
		env = append(env, fmt.Sprintf("CROSSWALK_ORGS_%d_ALIAS=o%d", i, i))
	}
	c, err := load(t, "", env...)
	if err != nil || fmt.Sprint(c.Kafka.Brokers) != "[a:1 b:2]" || len(c.Orgs) != 11 || c.Orgs[10].Alias != "o10" {
		t.Errorf("%+v, %v", c, err)
	}
}
