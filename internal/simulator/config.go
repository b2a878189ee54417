package simulator

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
	"crosswalk/internal/simulator/org"
)

// Config says what to simulate. The zero value is ready: an empty org on a free loopback port.
type Config struct {
	// Listen and Control are the addresses of the org and of its control; "" means 127.0.0.1:0.
	Listen, Control string
	// Login, when set, is the address of a login host of its own, as login.salesforce.com is one: it serves OAuth only,
	// and refuses client credentials. "" lets the org's own address do both, as a My Domain does.
	Login string
	// TLS serves the org and the login host over https with a self-signed certificate made at the start.
	TLS bool
	// InstanceURL and LoginURL are what the outside calls the org when it stands behind a proxy; "" means as asked.
	InstanceURL, LoginURL string
	// KeyDir is where Run keeps a file with the private key of the JWT bearer flow while it runs; "" keeps none.
	KeyDir string
	// Org is the data.
	Org org.Config
	// App, User and Password are the one connected app and the integration user's credentials; members that are empty
	// get values made from Org.Seed.
	App           App
	Password      string
	SecurityToken string
	// Settings can be changed while the simulator runs.
	Settings Settings
	// Profile is what the integration user may do; the zero value may do everything.
	Profile Profile
	// Fault sees every HTTP request before anything else. A nil result lets it pass.
	Fault func(*http.Request) *Fault
	// Schedule injects faults by itself.
	Schedule Schedule
	// Events and Streaming are passed to packages cdc and cometd; what concerns the org is filled in.
	Events    cdc.Options
	Streaming cometd.Options
	// Logger is told about requests that the simulator does not know; nil means slog.Default().
	Logger *slog.Logger
}

// App is the connected app (or external client app) that clients log in with.
type App struct {
	Name              string   `json:"name"`
	ClientID          string   `json:"client_id"`
	ClientSecret      string   `json:"client_secret"`
	Callbacks         []string `json:"callbacks"`           // compared exactly; none accepts every loopback URL
	SecretOptional    bool     `json:"secret_optional"`     // web server and refresh flows without client_secret
	RequirePKCE       bool     `json:"require_pkce"`        //
	RotateRefresh     bool     `json:"rotate_refresh"`      // each refresh returns a new refresh token (facts 1.6)
	RefreshExpires    bool     `json:"refresh_expires"`     // policy "immediately expire"
	Unknown           bool     `json:"unknown"`             // not yet propagated: invalid_client_id (facts 1.8)
	Blocked           bool     `json:"blocked"`             // OAUTH_APP_BLOCKED
	NotInstalled      bool     `json:"not_installed"`       // OAUTH_EC_APP_NOT_FOUND
	AdminApprovedOnly bool     `json:"admin_approved_only"` // users need approval by an admin; see Profile.NotApproved
	NoRunAs           bool     `json:"no_run_as"`           // no client credentials user
	PasswordFlowOff   bool     `json:"password_flow_off"`   // org setting since Summer '23
	NotAllowListed    bool     `json:"not_allow_listed"`    // API Access Control
	Scopes            []string `json:"scopes"`              // that may be asked for; none means the usual ones
}

// Settings are the numbers and switches of the org. Zero means the value named.
type Settings struct {
	AutoApprove   bool     `json:"auto_approve"`   // the authorize page approves by itself
	SessionIdle   Duration `json:"session_idle"`   // 2 h without a call ends a session
	CodeLife      Duration `json:"code_life"`      // 15 min
	MaxApprovals  int      `json:"max_approvals"`  // 5 refresh tokens per user
	DailyRequests int      `json:"daily_requests"` // 1,000,000 API calls in 24 h
	OtherRequests int      `json:"other_requests"` // that the org's other apps have made in the last 24 h
	AppRequests   int      `json:"app_requests"`   // API calls that the org allows this app in 24 h; 0: it sets it no limit of its own
	AppUsed       int      `json:"app_used"`       // of these, that other processes have made with the same app
	QueryBatch    int      `json:"query_batch"`    // 2,000 records per page of a REST query
	NoGzip        bool     `json:"no_gzip"`        // answer plainly whatever the client accepts
	NoNotes       bool     `json:"no_notes"`       // Enhanced Notes are off: ContentNote is no object
	UpdatedLag    Duration `json:"updated_lag"`    // how far latestDateCovered lies behind the end asked for
	Enriched      []string `json:"enriched"`       // fields that the org says it adds to events of the standard channel; the events stay as they are (facts 5.6)
	MonthlyEvents int      `json:"monthly_events"` // delivered events that the org has bought for a month; 0: no such add-on
	MonthlyUsed   int      `json:"monthly_used"`   // of these
	Bulk          Bulk     `json:"bulk"`
}

// Bulk are the settings of Bulk API 2.0.
type Bulk struct {
	QueueDelay Duration `json:"queue_delay"` // UploadComplete lasts so long
	ReadTime   Duration `json:"read_time"`   // InProgress lasts so long
	// Chunks is in how many parts the rows are read, each at its own moment within ReadTime; 0 means 1.
	Chunks int `json:"chunks"`
	// Shuffle returns the chunks in an order of its own.
	Shuffle bool `json:"shuffle"`
	// Manual leaves a job where it is until AdvanceJob moves it on: queued, reading chunk by chunk, complete.
	Manual bool `json:"manual"`
	// PageRows is the size of a result page that names no maxRecords, and the largest that is given; 0 means 100,000.
	PageRows int `json:"page_rows"`
	// EmptyBody answers a result without rows with an empty body instead of the header row (facts 3.3).
	EmptyBody bool `json:"empty_body"`
	// Scientific writes numbers from ten million on with an exponent (facts 3.3).
	Scientific bool `json:"scientific"`
	// MaxJobs is the quota of jobs in 24 h; 0 means 10,000. Exhausted makes the volume quota be used up, in /limits too.
	MaxJobs   int  `json:"max_jobs"`
	Exhausted bool `json:"exhausted"`
	// Refused are objects that Bulk does not serve: INVALIDENTITY (facts 3.5).
	Refused []string `json:"refused"`
	// Fail makes jobs fail; FailMessage is told as errorMessage when set (facts 3.1).
	Fail        bool   `json:"fail"`
	FailMessage string `json:"fail_message"`
}

// Profile takes rights away from the integration user (facts 8). The zero value has all.
type Profile struct {
	NoAPI         bool     `json:"no_api"`          // API Enabled
	NoRead        []string `json:"no_read"`         // objects without Read
	Hidden        []string `json:"hidden"`          // Object.Field without field-level security
	NoViewAll     []string `json:"no_view_all"`     // objects without View All Records; "*" is every object and View All Data
	NoFiles       bool     `json:"no_files"`        // Query All Files
	NoSetup       bool     `json:"no_setup"`        // View Setup and Configuration
	NoModifyAll   bool     `json:"no_modify_all"`   // private notes of others are hidden
	NoStreaming   bool     `json:"no_streaming"`    //
	NotApproved   bool     `json:"not_approved"`    // the user is not admin-approved for the app
	Inactive      bool     `json:"inactive"`        // the user is deactivated
	RestrictedIP  bool     `json:"restricted_ip"`   // the profile's IP ranges or login hours refuse the caller
	LockedToIP    bool     `json:"locked_to_ip"`    // sessions are locked to another address
	NoAPIScope    bool     `json:"no_api_scope"`    // tokens lack the scope api
	Expired       bool     `json:"expired"`         // the password is expired
	NoAPIEdition  bool     `json:"no_api_edition"`  // the org's edition has no API
	LoginsRefused bool     `json:"logins_refused"`  // rate_limit_exceeded
	OrgLocked     bool     `json:"org_locked"`      // inactive_org
	TrustedIP     bool     `json:"trusted_address"` // the security token may be left out
}

// Duration is a time.Duration that JSON writes as "1m30s".
type Duration time.Duration

// UnmarshalJSON reads "1m30s", or a number of seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}

// MarshalJSON writes "1m30s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d Duration) or(standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return time.Duration(d)
}

func orInt(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}
