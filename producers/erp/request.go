package erp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/producers/erp/mapping"
	"crosswalk/producers/erp/rows"
)

// answer is what a request is answered with.
type answer struct {
	status int
	body   any
	result Result
	err    error // behind a 5xx
}

// problem is the body of an answer that is no success.
type problem struct {
	Error  string `json:"error"`
	Column string `json:"column,omitempty"`
}

// rejected is a row of a batch that was not taken.
type rejected struct {
	Line   int64  `json:"line"`
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
}

func refused(status int, format string, args ...any) answer {
	return answer{status: status, body: problem{Error: fmt.Sprintf(format, args...)}}
}

func (a answer) write(w http.ResponseWriter, log *slog.Logger) {
	w.Header().Set("Content-Type", "application/json")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(a.status)
	if err := json.NewEncoder(w).Encode(a.body); err != nil {
		log.Debug("write answer", "error", err)
	}
}

// body reads the whole body. The answer's status is 0 when it could be read.
func (h *push) body(r *http.Request) ([]byte, func(), answer) {
	size := r.ContentLength
	if size < 0 {
		size = int64(h.cfg.MaxBodyBytes)
	}
	size = min(size, int64(h.cfg.MaxBodyBytes))
	if err := h.room.Acquire(r.Context(), size); err != nil {
		return nil, nil, answer{status: http.StatusServiceUnavailable, body: problem{Error: "too many requests at once; send it again"}, err: err}
	}
	release := func() { h.room.Release(size) }
	body, err := io.ReadAll(r.Body)
	if err == nil {
		return body, release, answer{}
	}
	release()
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, nil, refused(http.StatusRequestEntityTooLarge, "the body has more than %d bytes; send fewer customers at once, or raise erp.push.max_body_bytes", large.Limit)
	}
	return nil, nil, refused(http.StatusBadRequest, "the body could not be read: %v", err)
}

// put publishes one customer.
func (h *push) put(r *http.Request, source config.ERPSource) answer {
	text, release, a := h.body(r)
	if a.status != 0 {
		return a
	}
	defer release()
	v, err := rows.ParseJSON(text)
	if err != nil || v.Object == nil {
		if err == nil {
			err = errors.New("it is no object")
		}
		return refused(http.StatusBadRequest, "the body is no customer: %v; send a JSON object", err)
	}
	key := r.PathValue("key")
	if len(source.Columns) == 0 && source.Preset == "" {
		v.Object = withKey(v.Object, key, source)
	}
	j := h.job(source)
	raw := func() string { return string(text) }
	j.open = func() (rows.Reader, error) { return rows.One(v.Object, raw), nil }
	j.wants = key
	var bad *rows.Reject
	j.reject = func(r *rows.Reject) error { bad = r; return nil }
	if a := h.publish(r.Context(), j); a.status != 0 {
		return a
	}
	if bad != nil {
		return answer{status: http.StatusUnprocessableEntity, body: problem{Error: bad.Reason, Column: bad.Column}}
	}
	return answer{status: http.StatusOK, result: j.result, body: struct {
		Key       string `json:"key"`
		Published bool   `json:"published"`
		Deleted   bool   `json:"deleted,omitempty"`
	}{key, j.result.Published > 0, j.result.Deleted > 0}}
}

// withKey adds the members that the address says and the body does not.
func withKey(object []avro.Attribute, key string, source config.ERPSource) []avro.Attribute {
	has := func(name string) bool {
		return slices.ContainsFunc(object, func(a avro.Attribute) bool { return a.Name == name })
	}
	if has("number") {
		return object
	}
	text := func(name, s string) avro.Attribute {
		return avro.Attribute{Name: name, Value: avro.FieldValue{Scalar: change.StringValue(s)}}
	}
	if has("company") || source.Constants["company"] != "" {
		_, key, _ = strings.Cut(key, "/")
	}
	return append(object, text("number", key))
}

// remove deletes one customer.
func (h *push) remove(r *http.Request, source config.ERPSource) answer {
	key, deleted := r.PathValue("key"), false
	err := h.p.publisher.do(r.Context(), func(ctx context.Context, s *session) (err error) {
		b := s.begin(source.Name)
		if deleted, err = b.remove(ctx, key); err != nil {
			return err
		}
		return b.settle(ctx)
	})
	if err != nil {
		return unavailable(err)
	}
	result := Result{}
	if deleted {
		result.Deleted = 1
	}
	return answer{status: http.StatusOK, result: result, body: struct {
		Key     string `json:"key"`
		Deleted bool   `json:"deleted"`
	}{key, deleted}}
}

// maxListed bounds the rejected rows that an answer lists.
const maxListed = 1000

// formats of the bodies of a batch.
var formats = map[string]string{
	"": rows.JSON, "application/json": rows.JSON, "application/x-ndjson": rows.JSON, "application/jsonl": rows.JSON, "text/csv": rows.CSV,
}

// post publishes many customers.
func (h *push) post(r *http.Request, source config.ERPSource) answer {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	format, ok := formats[kind]
	if !ok || err != nil && r.Header.Get("Content-Type") != "" {
		return refused(http.StatusUnsupportedMediaType, "Content-Type %q is none of application/json (an array), application/x-ndjson (an object a line) and text/csv", kind)
	}
	text, release, a := h.body(r)
	if a.status != 0 {
		return a
	}
	defer release()
	options := rows.Options{Format: format, Encoding: rows.Encoding(source.Encoding), Delimiter: source.Delimiter, Header: mapping.Header(source)}
	j := h.job(source)
	j.open = func() (rows.Reader, error) {
		in, err := rows.Open(j.name, bytes.NewReader(text), options)
		if err != nil {
			return nil, &SourceError{err}
		}
		return in, nil
	}
	var list []rejected
	j.reject = func(r *rows.Reject) error {
		if len(list) < maxListed {
			list = append(list, rejected{Line: r.Line, Column: r.Column, Reason: r.Reason})
		}
		return nil
	}
	if a := h.publish(r.Context(), j); a.status != 0 {
		return a
	}
	status := http.StatusOK
	switch {
	case j.result.Rejected > 0 && j.result.Rows > 0:
		status = http.StatusMultiStatus
	case j.result.Rejected > 0:
		status = http.StatusUnprocessableEntity
	}
	return answer{status: status, result: j.result, body: struct {
		Result
		Rejects []rejected `json:"rejects,omitempty"`
	}{j.result, list}}
}

// job is one of a request: a push never is the whole list.
func (h *push) job(source config.ERPSource) *job {
	return &job{cfg: &h.p.cfg, source: source, name: "the body", inHand: true, lastWins: false}
}

// publish runs a request's job. The answer's status is 0 when it ended well.
func (h *push) publish(ctx context.Context, j *job) answer {
	err := h.p.publisher.run(ctx, j)
	var fault *SourceError
	switch {
	case err == nil:
		return answer{}
	case errors.As(err, &fault):
		return refused(http.StatusUnprocessableEntity, "%v", fault)
	}
	return unavailable(err)
}

func unavailable(err error) answer {
	return answer{
		status: http.StatusServiceUnavailable, err: err,
		body: problem{Error: "it could not be published now and may or may not be later; send it again: " + err.Error()},
	}
}
