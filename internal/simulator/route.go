package simulator

import (
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"crosswalk/internal/simulator/org"
)

// call is one request to the org on its way through a handler.
type call struct {
	s       *Simulator
	w       http.ResponseWriter
	r       *http.Request
	path    []string // segments of the path that the route's {} matched
	version string   // "66.0"; "" outside /services/data/vXX.X/
	session *session
}

// route maps a method and a path to a handler. A segment {} matches anything.
type route struct {
	method, path string
	handle       func(*call)
	open         bool // needs no session
}

// routes are all requests that the org understands.
var routes []route

func init() {
	const v = "/services/data/{}"
	routes = []route{
		{"GET", "/services/oauth2/authorize", (*call).authorize, true},
		{"POST", "/services/oauth2/authorize", (*call).decide, true},
		{"POST", "/services/oauth2/token", (*call).token, true},
		{"POST", "/services/oauth2/revoke", (*call).revoke, true},
		{"GET", "/services/oauth2/revoke", (*call).revoke, true},
		{"POST", "/services/oauth2/introspect", (*call).introspect, true},
		{"GET", "/services/oauth2/userinfo", (*call).userinfo, true},
		{"POST", "/services/oauth2/userinfo", (*call).userinfo, true},
		{"GET", "/id/{}/{}", (*call).identity, true},
		{"GET", "/.well-known/openid-configuration", (*call).discovery, true},
		{"POST", "/services/Soap/u/{}", (*call).soap, true},
		{"POST", "/services/Soap/u/{}/{}", (*call).soap, true},
		{"POST", "/services/Soap/c/{}", (*call).soap, true},
		{"GET", "/services/data", (*call).versions, true},
		{"GET", v, (*call).resources, false},
		{"GET", v + "/limits", (*call).limits, false},
		{"GET", v + "/query", (*call).query, false},
		{"GET", v + "/queryAll", (*call).query, false},
		{"GET", v + "/query/{}", (*call).queryMore, false},
		{"GET", v + "/tooling/query", (*call).toolingQuery, false},
		{"GET", v + "/sobjects", (*call).describeGlobal, false},
		{"GET", v + "/sobjects/{}", (*call).basicInfo, false},
		{"POST", v + "/sobjects/{}", (*call).createRecord, false},
		{"GET", v + "/sobjects/{}/describe", (*call).describeObject, false},
		{"GET", v + "/sobjects/{}/updated", (*call).updated, false},
		{"GET", v + "/sobjects/{}/deleted", (*call).deleted, false},
		{"GET", v + "/sobjects/{}/{}", (*call).getRecord, false},
		{"PATCH", v + "/sobjects/{}/{}", (*call).updateRecord, false},
		{"DELETE", v + "/sobjects/{}/{}", (*call).deleteRecord, false},
		{"GET", v + "/sobjects/{}/{}/{}", (*call).blobOrExternal, false},
		{"GET", v + "/composite/sobjects/{}", (*call).collection, false},
		{"POST", v + "/composite/sobjects/{}", (*call).collection, false},
		{"POST", v + "/jobs/query", (*call).createJob, false},
		{"GET", v + "/jobs/query", (*call).listJobs, false},
		{"GET", v + "/jobs/query/{}", (*call).jobInfo, false},
		{"PATCH", v + "/jobs/query/{}", (*call).abortJob, false},
		{"DELETE", v + "/jobs/query/{}", (*call).deleteJob, false},
		{"GET", v + "/jobs/query/{}/results", (*call).jobResults, false},
		{"GET", v + "/jobs/query/{}/resultPages", (*call).resultPages, false},
		{"GET", v + "/jobs/query/{}/resultpages", (*call).resultPages, false},
	}
}

// match compares a path's segments with a route's.
func (rt route) match(path []string) ([]string, bool) {
	pattern := strings.Split(rt.path[1:], "/")
	if len(pattern) != len(path) {
		return nil, false
	}
	var free []string
	for i, p := range pattern {
		switch {
		case p == "{}":
			free = append(free, path[i])
		case p != path[i]:
			return nil, false
		}
	}
	return free, true
}

// maxURI is the longest URI and the longest URI with headers (facts 2.2).
const maxURI = 16_384

// maxBody bounds a request body.
const maxBody = 4 << 20

// serveOrg answers one request.
func (s *Simulator) serveOrg(w http.ResponseWriter, r *http.Request) {
	entry, w := s.requests.open(s.now(), w, r)
	defer entry.close(s)
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat)) // the org's clock
	w, stop := s.faults.apply(s, w, r)
	if stop {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/cometd") {
		s.stream.ServeHTTP(w, r)
		return
	}
	c := &call{s: s, w: w, r: r}
	if c.tooLong() || !c.unpackBody() {
		return
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	other := false
	for _, rt := range routes {
		free, ok := rt.match(path)
		if !ok {
			continue
		}
		if rt.method != r.Method && (rt.method != "GET" || r.Method != "HEAD") {
			other = true
			continue
		}
		if strings.HasPrefix(rt.path, "/services/data/{}") {
			if !c.takeVersion(free[0]) {
				return
			}
			free = free[1:]
		}
		c.path = free
		if rt.open || !c.wantsXML() && c.admit() {
			closed := c.compress()
			rt.handle(c)
			closed()
		}
		return
	}
	if other {
		c.fail(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP Method '"+r.Method+"' not allowed. Allowed are "+strings.Join(methodsOf(path), ","))
		return
	}
	c.unknown()
}

// wantsXML refuses clients that take XML only (facts 2.1): the simulator writes JSON.
func (c *call) wantsXML() bool {
	accept := c.r.Header.Get("Accept")
	if strings.Contains(accept, "xml") && !strings.Contains(accept, "json") && !strings.Contains(accept, "*") {
		c.unsupported("XML responses; ask for application/json")
		return true
	}
	return false
}

func methodsOf(path []string) []string {
	var out []string
	for _, rt := range routes {
		if _, ok := rt.match(path); ok && !slices.Contains(out, rt.method) {
			out = append(out, rt.method)
		}
	}
	return out
}

// serveLogin answers for the login host: OAuth only.
func (s *Simulator) serveLogin(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/services/data/") || strings.HasPrefix(r.URL.Path, "/cometd") {
		entry, w := s.requests.open(s.now(), w, r)
		defer entry.close(s)
		c := &call{s: s, w: w, r: r}
		c.fail(http.StatusUnauthorized, "URL_NOT_RESET", "destination URL not reset. The URL returned from login must be set in the SforceService")
		return
	}
	s.serveOrg(w, r.WithContext(withLoginHost(r.Context())))
}

// unknown refuses a request that the simulator does not know, loudly.
func (c *call) unknown() {
	c.s.requests.unknown.Add(1)
	c.s.log.Warn("simulator does not know this request", "method", c.r.Method, "path", c.r.URL.Path)
	c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist (the simulator does not know "+c.r.Method+" "+c.r.URL.Path+")")
}

// unsupported refuses something that Salesforce would do and the simulator cannot.
func (c *call) unsupported(what string) {
	c.s.requests.unknown.Add(1)
	c.s.log.Warn("simulator does not support this request", "method", c.r.Method, "path", c.r.URL.Path, "what", what)
	c.fail(http.StatusNotImplemented, "NOT_IMPLEMENTED_BY_SIMULATOR", what)
}

// tooLong refuses long addresses and headers.
func (c *call) tooLong() bool {
	uri := len(c.r.RequestURI)
	if uri > maxURI {
		c.fail(http.StatusRequestURITooLong, "URI_TOO_LONG", "URI length exceeds the limit of 16384 bytes")
		return true
	}
	for k, vs := range c.r.Header {
		for _, v := range vs {
			uri += len(k) + len(v) + 4
		}
	}
	if uri > maxURI {
		c.fail(http.StatusRequestHeaderFieldsTooLarge, "REQUEST_HEADER_FIELDS_TOO_LARGE", "URI and headers exceed the limit of 16384 bytes")
		return true
	}
	return false
}

// unpackBody bounds and decompresses the request body.
func (c *call) unpackBody() bool {
	body := http.MaxBytesReader(c.w, c.r.Body, maxBody)
	switch c.r.Header.Get("Content-Encoding") {
	case "", "identity":
		c.r.Body = body
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			c.fail(http.StatusBadRequest, "UNKNOWN_EXCEPTION", "the request body is not gzip")
			return false
		}
		c.r.Body = io.NopCloser(io.LimitReader(z, maxBody))
	case "deflate":
		c.r.Body = io.NopCloser(io.LimitReader(flate.NewReader(body), maxBody))
	default:
		c.fail(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "the content encoding is not supported")
		return false
	}
	return true
}

// The API versions that the org speaks.
const (
	minVersion = 31
	maxVersion = 68
)

func (c *call) takeVersion(segment string) bool {
	var n, zero int
	_, err := fmt.Sscanf(segment, "v%d.%d", &n, &zero)
	switch {
	case err != nil || fmt.Sprintf("v%d.0", n) != segment || n > maxVersion || n < 1:
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return false
	case n < minVersion:
		c.fail(http.StatusGone, "UNSUPPORTED_API_VERSION", "The API version "+segment[1:]+" is retired")
		return false
	}
	c.version = segment[1:]
	return true
}

// apiError is one element of an error body.
type apiError struct {
	Message   string   `json:"message"`
	ErrorCode string   `json:"errorCode"`
	Fields    []string `json:"fields,omitempty"`
}

// fail answers with an error body: a JSON array (facts 2.2).
func (c *call) fail(status int, code, message string, fields ...string) {
	if status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Token")
	}
	c.json(status, []apiError{{Message: message, ErrorCode: code, Fields: fields}})
}

// refuse answers with the error of a change.
func (c *call) refuse(err error) {
	var e *org.Error
	if !errors.As(err, &e) {
		c.fail(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", err.Error())
		return
	}
	status := http.StatusBadRequest
	if e.Code == "NOT_FOUND" || e.Code == "ENTITY_IS_DELETED" {
		status = http.StatusNotFound
	}
	c.fail(status, e.Code, e.Message, e.Fields...)
}

func (c *call) json(status int, v any) {
	c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	c.w.WriteHeader(status)
	enc := json.NewEncoder(c.w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client may be gone
}

// decode reads a JSON body with exact numbers; false when it answered with the error.
func (c *call) decode(into any) bool {
	dec := json.NewDecoder(c.r.Body)
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		c.fail(http.StatusBadRequest, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body, or it is not JSON: "+err.Error())
		return false
	}
	return true
}
