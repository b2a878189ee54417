package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
)

// Server is a schema registry for Avro with Confluent's REST API, an http.Handler for the root of an address. What it does not
// have it refuses: other schema languages, metadata and rules, the import mode, and contexts besides the default one.
// An id whose every version was deleted for good may be given again after a restart, as Confluent's registry does.
type Server struct {
	store *store
	mux   *http.ServeMux
}

// maxRequest bounds a request's body, in bytes.
const maxRequest = 8 << 20

// handler answers one request: with a value for JSON, a rawSchema, or an error, which may be an *Error. The store is
// locked, for writing unless the method is GET.
type handler func(r *request) (any, error)

// request is what a handler gets.
type request struct {
	*http.Request
	store *store
	body  struct {
		Schema        *string         `json:"schema"`
		SchemaType    string          `json:"schemaType"`
		References    []Reference     `json:"references"`
		ID            int             `json:"id"`
		Metadata      json.RawMessage `json:"metadata"`
		RuleSet       json.RawMessage `json:"ruleSet"`
		Compatibility string          `json:"compatibility"`
		Mode          string          `json:"mode"`
	}
}

// rawSchema is answered as it is.
type rawSchema string

// NewServer reads the log and makes a Server of it. It starts nothing.
func NewServer(ctx context.Context, log Log) (*Server, error) {
	st, err := loadStore(ctx, log)
	if err != nil {
		return nil, err
	}
	s := &Server{store: st, mux: http.NewServeMux()}
	for pattern, h := range map[string]handler{
		"GET /{$}":                                                  func(*request) (any, error) { return struct{}{}, nil },
		"GET /contexts":                                             func(*request) (any, error) { return []string{"."}, nil },
		"GET /schemas/types":                                        func(*request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas":                                              listSchemas,
		"GET /schemas/ids/{id}":                                     schemaByID,
		"GET /schemas/ids/{id}/schema":                              schemaTextByID,
		"GET /schemas/ids/{id}/subjects":                            subjectsByID,
		"GET /schemas/ids/{id}/versions":                            versionsByID,
		"GET /subjects":                                             listSubjects,
		"POST /subjects/{subject}":                                  lookupSchema,
		"DELETE /subjects/{subject}":                                deleteSubject,
		"GET /subjects/{subject}/versions":                          listVersions,
		"POST /subjects/{subject}/versions":                         registerSchema,
		"GET /subjects/{subject}/versions/{version}":                getVersion,
		"DELETE /subjects/{subject}/versions/{version}":             deleteVersion,
		"GET /subjects/{subject}/versions/{version}/schema":         getVersionText,
		"GET /subjects/{subject}/versions/{version}/referencedby":   getReferencedBy,
		"POST /compatibility/subjects/{subject}/versions":           checkAll,
		"POST /compatibility/subjects/{subject}/versions/{version}": checkVersion,
		"GET /config":                                               getConfig,
		"PUT /config":                                               putConfig,
		"DELETE /config":                                            deleteConfig,
		"GET /config/{subject}":                                     getConfig,
		"PUT /config/{subject}":                                     putConfig,
		"DELETE /config/{subject}":                                  deleteConfig,
		"GET /mode":                                                 getMode,
		"PUT /mode":                                                 putMode,
		"DELETE /mode":                                              deleteMode,
		"GET /mode/{subject}":                                       getMode,
		"PUT /mode/{subject}":                                       putMode,
		"DELETE /mode/{subject}":                                    deleteMode,
	} {
		s.mux.HandleFunc(pattern, s.answer(h))
	}
	s.mux.HandleFunc("/", s.unknown)
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// unknown answers what no pattern takes.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	status := http.StatusNotFound
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "/" {
			status = http.StatusMethodNotAllowed
		}
	}
	writeError(w, refuse(status, "HTTP %d %s", status, http.StatusText(status)))
}

func (s *Server) answer(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := &request{Request: r, store: s.store}
		if err := req.read(w); err != nil {
			writeError(w, err)
			return
		}
		v, err := s.locked(h, req)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		if text, ok := v.(rawSchema); ok {
			io.WriteString(w, string(text))
			return
		}
		writeJSON(w, v)
	}
}

func (s *Server) locked(h handler, r *request) (any, error) {
	if r.Method == http.MethodGet {
		s.store.mu.RLock()
		defer s.store.mu.RUnlock()
	} else {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
	}
	return h(r)
}

// read decodes the body of a POST or PUT.
func (r *request) read(w http.ResponseWriter) error {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	if sent := r.Header.Get("Content-Type"); sent != "" {
		media, _, err := mime.ParseMediaType(sent)
		if err != nil || !slices.Contains([]string{contentType, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream"}, media) {
			return refuse(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type")
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "The request has more than %d bytes", maxRequest)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "The request broke off: %v", err)
	}
	if err := json.Unmarshal(text, &r.body); err != nil {
		return refuse(http.StatusBadRequest, "The request is no JSON of the schema registry's API: %v", err)
	}
	return nil
}

// schema parses the schema in the request.
func (r *request) schema() (newSchema, error) {
	b := &r.body
	switch {
	case b.SchemaType != "" && b.SchemaType != "AVRO":
		return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema type %s: this registry keeps Avro only", b.SchemaType)
	case notNull(b.Metadata), notNull(b.RuleSet):
		return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: this registry keeps no metadata and no rules")
	case b.ID > 0:
		return newSchema{}, refuse(CodeOperationNotPermitted, "Subject %s is not in import mode", r.PathValue("subject"))
	case b.Schema == nil:
		return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: Empty schema")
	}
	return r.store.parse(*b.Schema, b.References, r.flag("normalize"))
}

func notNull(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (r *request) flag(name string) bool { return r.URL.Query().Get(name) == "true" }

// version reads the version of the path; latest may be spelt so, or -1.
func (r *request) version() (int, error) {
	text := r.PathValue("version")
	if text == "latest" || text == "-1" {
		return latest, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, refuse(CodeInvalidVersion, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
	}
	return int(n), nil
}

// id reads the schema id of the path.
func (r *request) id() (int, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return 0, refuse(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return int(id), nil
}

func writeJSON(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}

func writeError(w http.ResponseWriter, err error) {
	e := new(Error)
	if !errors.As(err, &e) {
		e = refuse(CodeBackendStore, "%v", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(e.Status)
	writeJSON(w, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{e.Code, e.Message})
}
