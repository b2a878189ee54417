package config

import (
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
		"wrong type":                   {"kafka:\n  partitions: many\n", nil, []string{"line 2"}},
		"broken yaml":                  {"kafka: [\n", nil, []string{"crosswalk.yaml"}},
		"all errors at once": {
			"log: {level: loud}\norgs:\n- {alias: 'a b', salesforce: {auth: {flow: magic, client_id: x}}, link: {salesforce_field: X__c}}\n", nil,
			[]string{"log.level", "orgs[0].alias", "auth.flow", "link needs", "4 errors"},
		},
		"flow's needs":         {"orgs: [{salesforce: {auth: {flow: jwt}}}]\n", nil, []string{"client_id", "username", "private_key_file"}},
		"registry beside":      {"kafka: {brokers: ['a:1']}\n", nil, []string{"schema_registry.url"}},
		"broker without port":  {"kafka: {brokers: [a]}\nschema_registry: {url: 'http://x'}\n", nil, []string{"kafka.brokers[0]", "host:port"}},
		"unknown environment":  {"", []string{"CROSSWALK_KAFAK=x"}, []string{"CROSSWALK_KAFAK"}},
		"environment type":     {"", []string{"CROSSWALK_KAFKA_PARTITIONS=x"}, []string{"CROSSWALK_KAFKA_PARTITIONS", "whole number"}},
		"environment hole":     {"", []string{"CROSSWALK_ORGS_3_ALIAS=x"}, []string{"CROSSWALK_ORGS_3_ALIAS", "number items"}},
		"source without key":   {"orgs: [{erp: {sources: [{name: a}]}}]\n", nil, []string{"columns.number"}},
		"unknown member":       {"orgs: [{erp: {sources: [{name: a, columns: {number: N, phonee: P}}]}}]\n", nil, []string{"phonee", "phone"}},
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

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if err == nil || !strings.Contains(err.Error(), "none.yaml") || !strings.Contains(err.Error(), "--config") {
		t.Fatalf("error %v must name the file and the flag", err)
	}
}
