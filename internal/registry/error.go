package registry

import (
	"errors"
	"fmt"
	"net/http"
)

// The error codes of Confluent's REST API that are used here.
const (
	CodeSubjectNotFound       = 40401
	CodeVersionNotFound       = 40402
	CodeSchemaNotFound        = 40403
	CodeSubjectSoftDeleted    = 40404
	CodeSubjectNotSoftDeleted = 40405
	CodeVersionSoftDeleted    = 40406
	CodeVersionNotSoftDeleted = 40407
	CodeSubjectConfigNotFound = 40408
	CodeSubjectModeNotFound   = 40409
	CodeIncompatible          = 409
	CodeInvalidSchema         = 42201
	CodeInvalidVersion        = 42202
	CodeInvalidCompatibility  = 42203
	CodeInvalidMode           = 42204
	CodeOperationNotPermitted = 42205
	CodeReferenceExists       = 42206
	CodeBackendStore          = 50001
)

// Error is a registry's refusal.
type Error struct {
	Status  int    // HTTP status
	Code    int    // error_code of the body; 0 when there was none
	Message string // message of the body
	URL     string // the registry, without user and password; empty on the server's side
}

// Error says what was refused, by whom, and what to do.
func (e *Error) Error() string {
	if e.URL == "" {
		return e.Message
	}
	said := e.Message
	if said == "" {
		said = http.StatusText(e.Status)
	}
	head := fmt.Sprintf("the schema registry at %s answers %d (%s)", e.URL, e.Status, said)
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return head + ": correct the user and password of schema_registry, and what they may do there"
	case e.Status == http.StatusConflict:
		return head + ": readers of older records could not read new ones or the other way round; undo the change of the field, or allow it by setting the subject's compatibility (PUT /config/{subject})"
	case e.Code == 0 && e.Status < 500:
		return head + ", which is not how a schema registry answers: correct schema_registry.url"
	}
	return head
}

// IsNotFound reports whether a registry said that the subject, version or schema does not exist.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code >= CodeSubjectNotFound && e.Code <= CodeSchemaNotFound
}

// ErrNotAvro is in the error of a schema that the registry has in another language than Avro.
var ErrNotAvro = errors.New("only Avro is understood")

// IsIncompatible reports whether a registry refused a schema because of an earlier one of its subject.
func IsIncompatible(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusConflict
}

// Reference is a schema's use of a type that another subject defines.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}
