package simulator

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/cometd"
)

// Fault is what happens to a request instead of, or besides, its normal answer. Empty members change nothing.
type Fault struct {
	Name  string   `json:"name"`  // shown in the log of requests
	Delay Duration `json:"delay"` // wait before anything else
	Drop  bool     `json:"drop"`  // close the connection without an answer
	// Status answers with this status, Body and ContentType. Without a Body it is the error of Code and Message in the form
	// of the endpoint that was asked: an array for data (facts 2.2), an object for tokens, text or a redirect for approvals.
	Status      int               `json:"status"`
	Code        string            `json:"code"`
	Message     string            `json:"message"`
	Body        string            `json:"body"`
	ContentType string            `json:"content_type"`
	Header      map[string]string `json:"header"`
	// Truncate handles the request, and closes the connection after so many bytes of the response body.
	Truncate int64 `json:"truncate"`
}

// Rule is a fault with the requests that it strikes: the body of POST /fault on the control address.
type Rule struct {
	Fault
	Kind   string  `json:"kind"`   // one of Kinds, instead of a Fault of one's own
	Method string  `json:"method"` // "" is any
	Path   string  `json:"path"`   // segments as path.Match has them; a last /* matches deeper paths too; "" is any
	After  int     `json:"after"`  // so many matching requests pass first
	Count  int     `json:"count"`  // strikes so often; 0 means once, -1 always
	Odds   float64 `json:"odds"`   // strikes with this probability; 0 means always
	// Channel makes it a fault of a Bayeux message on this channel ("*" is any): Kind is one of cometd.Kinds then; or
	// Error, Reason and Reconnect are its answer, Forget and Disconnect what happens to the session.
	Channel    string `json:"channel"`
	Error      string `json:"error"`
	Reason     string `json:"failure_reason"`
	Reconnect  string `json:"reconnect"`
	Forget     bool   `json:"forget"`
	Disconnect bool   `json:"disconnect"`
	// AfterHandling drops the connection when the message is handled: its events are lost to the session.
	AfterHandling bool `json:"after_handling"`

	seen, struck int
}

// Kinds are ready-made faults, by name (facts 2.2, 9).
var Kinds = map[string]Fault{
	"unavailable": {Status: 503, Code: "SERVER_UNAVAILABLE", Message: "Server is too busy. Please try again later."},
	"html":        {Status: 502, ContentType: "text/html", Body: "<html><head><title>502 Bad Gateway</title></head><body>The proxy could not reach the instance.</body></html>"},
	"internal":    {Status: 500, Code: "UNKNOWN_EXCEPTION", Message: "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-123456789)"},
	"session":     {Status: 401, Code: "INVALID_SESSION_ID", Message: "Session expired or invalid"},
	"limit":       {Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Message: "TotalRequests Limit exceeded."},
	"concurrent":  {Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Message: "ConcurrentPerOrgLongTxn Limit exceeded."},
	"timeout":     {Status: 400, Code: "QUERY_TIMEOUT", Message: "Your query request was running for too long."},
	"moved":       {Status: 420, ContentType: "text/html", Body: "<html><body>Salesforce Edge has no routing information for this host.</body></html>"},
	"too_many":    {Status: 429, ContentType: "text/plain", Body: "Too Many Requests", Header: map[string]string{"Retry-After": "1"}},
	"disabled":    {Status: 503, Code: "API_CURRENTLY_DISABLED", Message: "API is disabled for this User"},
	"locked":      {Status: 400, Code: "UNABLE_TO_LOCK_ROW", Message: "unable to obtain exclusive access to this record or 1 records"},
	"cursor":      {Status: 400, Code: "INVALID_QUERY_LOCATOR", Message: "invalid query locator"},
	"drop":        {Drop: true},
	"cut":         {Truncate: 100},
	"slow":        {Delay: Duration(2 * time.Second)},
}

// Schedule injects faults at random but repeatably: request number n of the seed meets the same fault in every run.
type Schedule struct {
	Seed  uint64   `json:"seed"`
	Rate  float64  `json:"rate"`  // share of requests that are struck; 0 switches it off
	Kinds []string `json:"kinds"` // of Kinds; none means those that a client must survive by trying again
	Path  string   `json:"path"`  // pattern of the paths that are struck; "" is any
}

// survivable are the kinds after which the same request may succeed.
var survivable = []string{"unavailable", "html", "internal", "drop", "cut", "concurrent"}

// faults decides which request meets which fault.
type faults struct {
	mu       sync.Mutex
	rules    []*Rule
	schedule Schedule
	set      bool
	seen     uint64
	ended    chan struct{} // closed by clear: delays end; nil until somebody waits
}

// over is closed when the faults of now are cleared.
func (f *faults) over() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.overLocked()
}

func (f *faults) overLocked() <-chan struct{} {
	if f.ended == nil {
		f.ended = make(chan struct{})
	}
	return f.ended
}

// Inject adds a fault. It returns false when the rule names a kind that does not exist.
func (s *Simulator) Inject(r Rule) bool {
	if _, ok := cometd.Kinds[r.Kind]; r.Kind != "" && r.Channel != "" && !ok {
		return false
	}
	if r.Kind != "" && r.Channel == "" {
		f, ok := Kinds[r.Kind]
		if !ok {
			return false
		}
		r.Fault = f
		r.Name = r.Kind
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = append(s.faults.rules, &r)
	return true
}

// ClearFaults forgets all rules and the schedule. A request that a fault delays goes on at once, as if it had met none.
func (s *Simulator) ClearFaults() { s.SetSchedule(Schedule{}); s.faults.clear() }

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
	if f.ended != nil {
		close(f.ended)
		f.ended = nil
	}
}

// SetSchedule replaces the schedule and counts requests from 1 again; an empty one ends it.
func (s *Simulator) SetSchedule(schedule Schedule) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.schedule, s.faults.set, s.faults.seen = schedule, true, 0
}

// matches compares a path with a pattern: each segment as path.Match does; a pattern ending in /* also matches deeper paths.
func matches(pattern, p string) bool {
	if pattern == "" {
		return true
	}
	if ok, _ := path.Match(pattern, p); ok {
		return true
	}
	parts, segments := strings.Split(pattern, "/"), strings.Split(p, "/")
	if parts[len(parts)-1] != "*" || len(segments) < len(parts) {
		return false
	}
	ok, _ := path.Match(pattern, strings.Join(segments[:len(parts)], "/"))
	return ok
}

// strikes counts a matching request and reports whether the rule meets it.
func (r *Rule) strikes(draw func() float64) bool {
	r.seen++
	if r.seen <= r.After || r.Count >= 0 && r.struck >= max(1, r.Count) || r.Odds > 0 && draw() >= r.Odds {
		return false
	}
	r.struck++
	return true
}

// spent reports a rule that strikes no more.
func (r *Rule) spent() bool { return r.Count >= 0 && r.struck >= max(1, r.Count) }

// next is the fault of a request, if any.
func (f *faults) next(s *Simulator, r *http.Request) *Fault {
	if s.config.Fault != nil {
		if fault := s.config.Fault(r); fault != nil {
			return fault
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	for _, rule := range f.rules {
		if rule.Channel != "" || rule.Method != "" && rule.Method != r.Method || !matches(rule.Path, r.URL.Path) {
			continue
		}
		if rule.strikes(f.draw(s.seed)) {
			fault := rule.Fault
			f.rules = slices.DeleteFunc(f.rules, (*Rule).spent)
			return &fault
		}
	}
	schedule := s.config.Schedule
	if f.set {
		schedule = f.schedule
	}
	if schedule.Rate <= 0 || !matches(schedule.Path, r.URL.Path) || f.draw(schedule.Seed)() >= schedule.Rate {
		return nil
	}
	kinds := schedule.Kinds
	if len(kinds) == 0 {
		kinds = survivable
	}
	kind := kinds[mix(schedule.Seed+1, f.seen)%uint64(len(kinds))]
	fault, ok := Kinds[kind]
	if !ok {
		return nil
	}
	fault.Name = kind
	return &fault
}

// draw makes a number in [0, 1) that depends on the seed and the number of the request only.
func (f *faults) draw(seed uint64) func() float64 {
	return func() float64 { return float64(mix(seed, f.seen)>>11) / (1 << 53) }
}

// mix is splitmix64.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// message is the fault of a Bayeux message, if any.
func (f *faults) message(e cometd.Exchange) *cometd.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.Channel == "" || r.Channel != "*" && r.Channel != e.Channel || !r.strikes(f.draw(0)) {
			continue
		}
		if kind, ok := cometd.Kinds[r.Kind]; ok {
			f.rules = slices.DeleteFunc(f.rules, (*Rule).spent)
			kind.Over = f.overLocked()
			return &kind
		}
		out := &cometd.Fault{
			Delay: time.Duration(r.Delay), Over: f.overLocked(), Drop: r.Drop, AfterHandling: r.AfterHandling, Status: r.Status, ContentType: r.ContentType, Body: r.Body,
			Error: r.Error, FailureReason: r.Reason, Reconnect: r.Reconnect, Forget: r.Forget, Disconnect: r.Disconnect,
		}
		f.rules = slices.DeleteFunc(f.rules, (*Rule).spent)
		return out
	}
	return nil
}

// cutWriter closes the connection after left bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (c *cutWriter) Write(b []byte) (int, error) {
	if int64(len(b)) <= c.left {
		c.left -= int64(len(b))
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush() // what is cut must have begun to arrive
	panic(http.ErrAbortHandler)
}

// apply lets a fault happen; stop says that the request is answered.
func (f *faults) apply(s *Simulator, w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, stop bool) {
	over := f.over() // before the fault is met: clearing it in between ends it as well
	fault := f.next(s, r)
	if fault == nil {
		return w, false
	}
	if e, ok := w.(*entry); ok {
		e.request.Fault = fault.Name
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(time.Duration(fault.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-over:
			return w, false
		case <-r.Context().Done():
		}
	}
	if fault.Drop {
		panic(http.ErrAbortHandler)
	}
	for k, v := range fault.Header {
		w.Header().Set(k, v)
	}
	switch {
	case fault.Status != 0 && fault.Body == "" && fault.Code != "":
		(&call{s: s, w: w, r: r}).refuseAs(fault)
		return w, true
	case fault.Status != 0:
		w.Header().Set("Content-Type", fault.ContentType)
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
		return w, true
	case fault.Truncate > 0:
		return &cutWriter{ResponseWriter: w, left: fault.Truncate}, false
	}
	return w, false
}

// refuseAs answers with a fault's Code and Message as the endpoint that was asked writes its errors.
func (c *call) refuseAs(f *Fault) {
	switch c.r.URL.Path {
	case "/services/oauth2/token":
		c.w.Header().Set("Cache-Control", "no-store")
		c.json(f.Status, &oauthError{f.Code, f.Message})
	case "/services/oauth2/authorize":
		if f.Status == http.StatusFound {
			q := c.r.URL.Query()
			c.redirect(authorization{redirect: q.Get("redirect_uri"), state: q.Get("state")}, url.Values{"error": {f.Code}, "error_description": {f.Message}})
			return
		}
		c.oauthText(f.Code, f.Message)
	default:
		c.fail(f.Status, f.Code, f.Message)
	}
}
