// Package config reads what a person configures: one YAML file, every key also as an environment variable
// CROSSWALK_… (its path in capitals, joined by underscores, list items by number: CROSSWALK_ORGS_0_ALIAS).
//
// The file is read strictly (an unknown key is an error that names file, line and the nearest known key), the
// environment is laid over it, defaults fill the rest, and Validate reports every error at once.
package config

import (
	"time"

	"crosswalk/internal/secret"
)

// Config is everything that can be configured. The zero value with Defaults applied is the embedded default.
type Config struct {
	DataDir        string         `yaml:"data_dir"` // local state, embedded broker; default "crosswalk-data"
	Log            Log            `yaml:"log"`
	Kafka          Kafka          `yaml:"kafka"`
	SchemaRegistry SchemaRegistry `yaml:"schema_registry"`
	Console        Console        `yaml:"console"`
	Orgs           []Org          `yaml:"orgs"`
}

// Log says what is written to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error; default info
	Format string `yaml:"format"` // text, json; default text
}

// Kafka says where the broker is. Without brokers the embedded one is started in DataDir.
type Kafka struct {
	Brokers     []string `yaml:"brokers"`     // host:port; default none = embedded
	Listen      string   `yaml:"listen"`      // where the embedded broker listens; default 127.0.0.1:0 (a free port, printed)
	Partitions  int      `yaml:"partitions"`  // of topics that Crosswalk creates; default 4
	Replication int      `yaml:"replication"` // of topics that Crosswalk creates; default 0 = the broker's own default
	TLS         TLS      `yaml:"tls"`         //
	SASL        SASL     `yaml:"sasl"`        //
	Compression string   `yaml:"compression"` // none, snappy, lz4, zstd, gzip; default none, which every client can read
	// SessionTimeout is how long a process may be silent before its tasks go to another; default 10s, and no less than the
	// broker allows (group.min.session.timeout.ms, 6s).
	SessionTimeout time.Duration `yaml:"session_timeout"`
	ClientID       string        `yaml:"client_id"` // default "crosswalk"
}

// TLS to the brokers.
type TLS struct {
	Enabled            bool   `yaml:"enabled"`
	CAFile             string `yaml:"ca_file"`   // default: the system's roots
	CertFile           string `yaml:"cert_file"` // client certificate; default none
	KeyFile            string `yaml:"key_file"`
	ServerName         string `yaml:"server_name"`          // default: the broker's host
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"` // for tests only
}

// SASL to the brokers.
type SASL struct {
	Mechanism string        `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; default none
	Username  string        `yaml:"username"`
	Password  secret.String `yaml:"password"`
}

// SchemaRegistry says where schemas are kept. Without a URL the embedded one is served by the console.
type SchemaRegistry struct {
	URL      string        `yaml:"url"`
	Username string        `yaml:"username"`
	Password secret.String `yaml:"password"`
}

// Console serves metrics, status and the embedded schema registry.
type Console struct {
	Listen string `yaml:"listen"` // default 127.0.0.1:0 (a free port, printed)
}

// Org is one Salesforce org and the ERP customers that belong to it.
type Org struct {
	Alias           string         `yaml:"alias"`             // prefix of its topics; default none
	OrphanGrace     *time.Duration `yaml:"orphan_grace"`      // R20; default 60s; 0 reports orphans at once
	ERPDeletedField string         `yaml:"erp_deleted_field"` // path of a boolean in the ERP record; default none
	ViewMaxBytes    int            `yaml:"view_max_bytes"`    // R29a; default 900000
	Salesforce      Salesforce     `yaml:"salesforce"`
	Link            Link           `yaml:"link"`
	ERP             ERP            `yaml:"erp"`
}

// Salesforce says how to reach an org.
type Salesforce struct {
	LoginURL     string        `yaml:"login_url"`     // default https://login.salesforce.com
	InstanceURL  string        `yaml:"instance_url"`  // default: what the token reply says
	StreamingURL string        `yaml:"streaming_url"` // default: instance URL + /cometd/<version>
	APIVersion   string        `yaml:"api_version"`   // default 66.0
	AllowAnyHost bool          `yaml:"allow_any_host"`
	Auth         Auth          `yaml:"auth"`
	Notes        Notes         `yaml:"notes"`
	BulkPageRows int           `yaml:"bulk_page_rows"` // maxRecords of a Bulk result page; default 0 = Salesforce decides
	SilenceLimit time.Duration `yaml:"silence_limit"`  // H16; default 5m
}

// Auth is the OAuth flow and what it needs.
type Auth struct {
	Flow           string        `yaml:"flow"` // web_server, jwt, client_credentials, password
	ClientID       string        `yaml:"client_id"`
	ClientSecret   secret.String `yaml:"client_secret"`
	Username       string        `yaml:"username"`
	Password       secret.String `yaml:"password"`
	SecurityToken  secret.String `yaml:"security_token"`
	PrivateKeyFile string        `yaml:"private_key_file"` // PEM, for jwt
	RefreshToken   secret.String `yaml:"refresh_token"`    // for web_server without `connect`: a token obtained elsewhere
	RedirectURL    string        `yaml:"redirect_url"`     // web_server: a callback of the app; default http://localhost:8400/callback
}

// Notes says how notes are read.
type Notes struct {
	Objects      []string      `yaml:"objects"`       // Note, Task, ContentNote; default Note and Task
	PollInterval time.Duration `yaml:"poll_interval"` // default 5m (Salesforce asks for no less)
}

// Link is the pair of fields that holds the common identifier (A2). Both empty: no link, nothing is shown (R6).
type Link struct {
	SalesforceField string `yaml:"salesforce_field"` // API name of an Account field, or Id
	ERPField        string `yaml:"erp_field"`        // path into the ERP record, e.g. identifier or attributes.crmId
	Cardinality     string `yaml:"cardinality"`      // one_to_one (default), many_accounts, many_customers, many_to_many
	NearMiss        string `yaml:"near_miss"`        // on (default), off
}

// Set reports whether a link is configured.
func (l Link) Set() bool { return l.SalesforceField != "" || l.ERPField != "" }

// ERP lists where customers come from.
type ERP struct {
	Sources []ERPSource `yaml:"sources"`
}

// ERPSource is one file (or folder) of customers and how its columns map to a customer.
type ERPSource struct {
	Name           string            `yaml:"name"`
	Path           string            `yaml:"path"`             // the file that `run` imports at start; default none
	Mode           string            `yaml:"mode"`             // full, delta; default delta
	Delimiter      string            `yaml:"delimiter"`        // "," or ";"; default: told by the header
	Columns        map[string]string `yaml:"columns"`          // member of the customer -> column of the file
	Constants      map[string]string `yaml:"constants"`        // member of the customer -> the same value for every row
	Attributes     string            `yaml:"attributes"`       // all (default): every unmapped column; none
	NullText       []string          `yaml:"null_text"`        // cell texts that mean null; default: the empty cell
	DecimalComma   bool              `yaml:"decimal_comma"`    // 1.234,50
	MaxDeleteShare float64           `yaml:"max_delete_share"` // a full import that would delete more is refused; default 0.2
}
