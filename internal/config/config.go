// Package config reads what a person configures: one YAML file, every key also as an environment variable
// CROSSWALK_… (its path in capitals, joined by underscores, list items by number: CROSSWALK_ORGS_0_ALIAS).
//
// The file is read strictly (an unknown key is an error that names file, line and the nearest known key), the
// environment is laid over it, defaults fill the rest, and every error is reported at once. Durations are written 30s, 5m or 2h;
// a bare number is seconds. A list of texts may be one text with commas.
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
	Matcher        Matcher        `yaml:"matcher"`
	Orgs           []Org          `yaml:"orgs"`

	Ignored []string `yaml:"-"` // variables of the environment that begin like ours and are no key of ours
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
	// Group is the consumer group by which the processes of a deployment share the tasks; default "crosswalk". Two deployments on
	// one Kafka, with different orgs, need two.
	Group string `yaml:"group"`
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

// Matcher says what the matchers of a process may take.
type Matcher struct {
	// Standbys is how many other processes keep a warm copy of each org's state, so that they take over within a moment when its
	// process dies; default 1, 0 = none. Each takes as much memory as the matcher itself. More than one only helps when a
	// second process dies before the copy is warm again.
	Standbys *int `yaml:"standbys"`
	// MemoryLimitMB bounds the state of one org in memory; what does not fit is read from data_dir, slower. Default 0 = no bound.
	MemoryLimitMB int `yaml:"memory_limit_mb"`
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
	LoginURL     string        `yaml:"login_url"`      // default https://login.salesforce.com
	InstanceURL  string        `yaml:"instance_url"`   // default: what the token reply says
	StreamingURL string        `yaml:"streaming_url"`  // default: instance URL + /cometd/<version>
	APIVersion   string        `yaml:"api_version"`    // default 66.0
	AllowAnyHost bool          `yaml:"allow_any_host"` // accept plain http, and hosts that are neither Salesforce's nor this machine; default false
	Auth         Auth          `yaml:"auth"`
	Fields       Fields        `yaml:"fields"` // which fields become columns; default every field that the user may read
	Notes        Notes         `yaml:"notes"`
	BulkPageRows int           `yaml:"bulk_page_rows"` // maxRecords of a Bulk result page; default 0 = Salesforce decides
	SilenceLimit time.Duration `yaml:"silence_limit"`  // H16; default 5m
	PollInterval time.Duration `yaml:"poll_interval"`  // of objects of which the org sends no change events; default 5m
	// SweepInterval is how often all ids are compared, to find records that were deleted for good, of which Salesforce tells
	// nobody; default 24h, 0 = never.
	SweepInterval *time.Duration `yaml:"sweep_interval"`
	// RefreshInterval is how often formula and roll-up fields are read, whose changes no event tells; default 6h, 0 = never.
	RefreshInterval *time.Duration `yaml:"refresh_interval"`
	// APIReserve is the share of the org's limits of a rolling 24 hours (API calls, Bulk jobs and results) that is left to its
	// other apps: what can wait pauses when only that much is left. Default 0.2; 0 keeps nothing; at most 0.95.
	APIReserve *float64 `yaml:"api_reserve"`
}

// Fields chooses the columns of each object. A field that is chosen later is filled by a snapshot; one that is left out later
// leaves the schema and is in no record that is written from then on, which is not the same as null.
type Fields struct {
	Account Selection `yaml:"Account"`
	Contact Selection `yaml:"Contact"`
}

// Selection chooses fields by their API names, in which * stands for any text and ? for one character; case makes no
// difference. The name of a compound (BillingAddress) means all its parts. Id, IsDeleted, SystemModstamp, AccountId of a
// Contact and the link's field are always read, include need not name them, and exclude must not.
type Selection struct {
	Include []string `yaml:"include"` // default every field
	Exclude []string `yaml:"exclude"` // goes before include; default none
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
	RedirectURL    string        `yaml:"redirect_url"`     // web_server: a callback of the app; default http://localhost:PORT/callback, at the console's port, or 8400 for `connect`
}

// Notes says how notes are read.
type Notes struct {
	Objects      []string      `yaml:"objects"`       // Note, Task, ContentNote; default Note and Task
	PollInterval time.Duration `yaml:"poll_interval"` // default 5m (Salesforce asks for no less)
	// CompareInterval is how often all ids and links of ContentNotes are compared: nothing else tells that one was deleted or
	// unlinked. Default 1h.
	CompareInterval time.Duration `yaml:"compare_interval"`
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
	Push    Push        `yaml:"push"`
	Sources []ERPSource `yaml:"sources"`
}

// Push says where the process that runs the org's ERP task takes customers by HTTP: those of the sources that have a token.
type Push struct {
	Listen       string `yaml:"listen"`         // host:port; needed when a source has a token
	CertFile     string `yaml:"cert_file"`      // PEM; with key_file: HTTPS. Default plain HTTP, for loopback or behind a proxy
	KeyFile      string `yaml:"key_file"`       //
	MaxBodyBytes int    `yaml:"max_body_bytes"` // of one request; default 16 MiB
}

// ERPSource is one origin of customers and how its columns map to a customer. It has at most one of path, folder, token,
// postgres and topic; a source that has none is for `erp import`.
type ERPSource struct {
	Name     string        `yaml:"name"`
	Path     string        `yaml:"path"`   // a file that `run` imports at start
	Folder   Folder        `yaml:"folder"` // a folder that `run` watches
	Token    secret.String `yaml:"token"`  // bearer token of those who push by HTTP
	Postgres Postgres      `yaml:"postgres"`
	Topic    SourceTopic   `yaml:"topic"`

	Mode           string   `yaml:"mode"`             // full (the whole list: what it does not name is deleted), delta; default delta
	MaxDeleteShare *float64 `yaml:"max_delete_share"` // a full import that would delete more is refused; 0 refuses any; default 0.2

	// How files are read.
	Format    string   `yaml:"format"`    // csv, json (an object a line, or one array); default: told by the file
	Encoding  string   `yaml:"encoding"`  // auto (default), utf-8, utf-16, windows-1252
	Delimiter string   `yaml:"delimiter"` // one of , ; tab |; default: the one under which the columns are found
	SkipRows  []string `yaml:"skip_rows"` // regular expressions: rows whose first cell that is not empty matches are left out

	// What the columns mean. A column may be a path into an object ("address.city"), or several joined by " + ".
	Preset       string            `yaml:"preset"`        // a mapping that comes with Crosswalk; what is set here goes before it
	Columns      map[string]string `yaml:"columns"`       // member of the customer -> column; default for JSON: the members' own names
	Optional     []string          `yaml:"optional"`      // members whose column may be missing from the source; default none
	Constants    map[string]string `yaml:"constants"`     // member of the customer -> the value of rows that have none
	KeySeparator string            `yaml:"key_separator"` // between the columns that number, company or identifier are joined from; default "-"
	Attributes   string            `yaml:"attributes"`    // all (default): every unmapped column; none
	// ZerosMayChange takes a number of a file that differs from a published one by leading zeros only for another customer. Default
	// false: the file is refused, because spreadsheets take zeros away.
	ZerosMayChange bool `yaml:"zeros_may_change"`

	DeletedColumn string   `yaml:"deleted_column"` // a row with one of deleted_values there deletes its customer; default none
	DeletedValues []string `yaml:"deleted_values"` // default true

	// How the texts of columns are read.
	NullText        []string `yaml:"null_text"`        // cell texts that mean null; default: the empty cell
	DecimalComma    *bool    `yaml:"decimal_comma"`    // 1.234,50; default: the preset's, else false
	CurrencySymbols []string `yaml:"currency_symbols"` // that may stand before or behind an amount, such as $; default none
	TimeFormats     []string `yaml:"time_formats"`     // such as MM/DD/YYYY hh:mm AM, beside ISO 8601; default none
	TimeZone        string   `yaml:"time_zone"`        // of times without one, such as Europe/Berlin; default UTC
}

// Folder is a folder into which files of customers are put. What was imported lies in its done/ afterwards, what was rejected,
// even in part, in rejected/ beside the reasons.
type Folder struct {
	Path     string        `yaml:"path"`     //
	Pattern  string        `yaml:"pattern"`  // of file names; default *
	Ready    string        `yaml:"ready"`    // suffix of an empty file that says that the one beside it is complete, e.g. .ok; default none
	Settle   time.Duration `yaml:"settle"`   // without ready: a file is complete when it has not changed for so long; default 10s
	Interval time.Duration `yaml:"interval"` // between two looks; default 5s
}

// Postgres is a query whose rows are customers.
type Postgres struct {
	URL       secret.String `yaml:"url"`        // postgres://user:password@host/database
	Query     string        `yaml:"query"`      // a SELECT
	Cursor    string        `yaml:"cursor"`     // column that rises with every change; default none: all rows at each poll
	Interval  time.Duration `yaml:"interval"`   // between two polls; default 1m
	Overlap   string        `yaml:"overlap"`    // how far a poll goes back before the cursor: 5m for times, 1000 for numbers; these are the defaults
	FullEvery time.Duration `yaml:"full_every"` // mode full: how often all rows are compared, to find deletions; default 24h
}

// SourceTopic is a topic of the same Kafka that somebody else writes and whose records are customers. The column _key is a
// record's key, a tombstone deletes.
type SourceTopic struct {
	Name      string `yaml:"name"`
	Format    string `yaml:"format"`     // avro (through the schema registry; default), json
	KeyFormat string `yaml:"key_format"` // text (default), avro, json
}
