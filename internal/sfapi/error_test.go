package sfapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"crosswalk/internal/retry"
)

func TestAnswersThatAreNotSalesforces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status      int
		media, body string
		wants       []string
	}{
		"login page":    {200, "text/html", "<html>", []string{"decode reply"}},
		"HTML 404":      {404, "text/html; charset=UTF-8", "<!DOCTYPE html><TITLE>URL No Longer Exists</TITLE>", []string{"URL No Longer Exists"}},
		"HTML untyped":  {403, "", "<html><body>no title", []string{"an HTML page", "check the address and any proxy"}},
		"proxy":         {407, "text/plain", "Proxy Authentication Required", []string{"Proxy Authentication Required", "any proxy"}},
		"OAuth object":  {403, jsonType, `{"error":"invalid_token","error_description":"token revoked"}`, []string{"invalid_token: token revoked"}},
		"bulk 1 object": {400, jsonType, `{"exceptionCode":"InvalidBatch","exceptionMessage":"Records not found"}`, []string{"InvalidBatch: Records not found"}},
		"identity text": {403, "text/html", "Bad_OAuth_Token", []string{"(Bad_OAuth_Token)", "the session has ended"}},
	} {
		o := newOrg(t)
		o.answers(limitsPath, c.status, c.media, c.body)
		_, err := o.client(t).Limits(t.Context())
		if err == nil {
			t.Errorf("%s was taken for an answer", name)
			continue
		}
		has(t, err.Error(), c.wants...)
	}
}

func TestErrorsNameTheirFields(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(limitsPath, 400, `[{"message":"id value of incorrect type","errorCode":"MALFORMED_ID","fields":["Id"]}]`)
	_, err := o.client(t).Limits(t.Context())
	var answered *Error
	if !errors.As(err, &answered) || len(answered.Fields) != 1 || answered.Fields[0] != "Id" {
		t.Errorf("%+v, %v", answered, err)
	}
}

func TestDeadHostIsNamed(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t)
	if _, err := c.cfg.Tokens.Token(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	o.Close()
	_, err := c.Limits(t.Context())
	if err == nil {
		t.Fatal("want an error")
	}
	has(t, err.Error(), "read limits: no answer from 127.0.0.1:", "connection refused", "check the network", "attempt 3 of 3")
}

func TestUnreachableHostsSayWhatToCheck(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"Setup > My Domain":          &url.Error{Op: "Get", URL: "https://x/?q=secret", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}},
		"certificate is not trusted": &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"another server answers":     tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"HTTPS_PROXY":                errors.New("connection reset by peer"),
	} {
		got := noAnswer("describe Account", "acme.my.salesforce.com", err)
		has(t, got.Error(), "describe Account: no answer from acme.my.salesforce.com", want)
		if strings.Contains(got.Error(), "secret") || got.Next() != NextRetry {
			t.Errorf("%v is next %q", got, got.Next())
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`)
	f.Add("error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration")
	f.Add("<title>\xff\u212a</title>")
	f.Add(`[{"message":"m","errorCode":"C","fields":["a"]},{}]`)
	f.Fuzz(func(t *testing.T, body string) {
		a := parseError([]byte(body))
		if len(a.message) > maxMessage+100 || len(a.code) > maxMessage+100 {
			t.Errorf("%d and %d bytes", len(a.code), len(a.message))
		}
		e := &Error{Op: "x", Status: 400, Code: a.code, Message: a.message}
		if e.Error() == "" || e.Next() == "" || e.Hint() == "" {
			t.Errorf("no advice for %q", body)
		}
	})
}

func TestNextOfAsksTheOutermostThatKnows(t *testing.T) {
	t.Parallel()
	for want, err := range map[Next]error{
		NextRetry:    fmt.Errorf("snapshot: %w", &Error{Status: 503}),
		NextNewJob:   fmt.Errorf("snapshot: %w", &JobError{Cause: &Error{Status: 404}}),
		NextUseREST:  retry.Final(&Error{Status: 400, Code: "INVALIDENTITY"}),
		NextDescribe: errors.Join(errors.New("close"), &PageError{Err: io.EOF, next: NextDescribe}),
		NextStop:     errors.New("something else"),
	} {
		if got := NextOf(err); got != want {
			t.Errorf("%v is next %q, want %q", err, got, want)
		}
	}
}
