package sfapi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"crosswalk/internal/retry"
)

// Every row of facts 2.2, 2.3 and the data rows of 8: what the person reads, what the program does next, and how often
// the call is made by then (three times when it may pass, twice when a new token may help, once otherwise).
var refusedCalls = []struct {
	name          string
	status        int
	code, message string
	reads         string
	next          Next
	calls         int
}{
	{"session ended", 401, "INVALID_SESSION_ID", "Session expired or invalid", "the session has ended", NextRefresh, 2},
	{"no api scope", 401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", "add the scope api", NextStop, 1},
	{"app not attached", 401, "", "Connected app is not attached to Agent", "log in through an External Client App", NextStop, 1},
	{"header damaged", 401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", "check the proxy", NextStop, 1},
	{"API off for org", 403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", "API Enabled", NextStop, 1},
	{"API off for user", 403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization or user type.", "API Enabled", NextStop, 1},
	{"API off for now", 403, "API_CURRENTLY_DISABLED", "API is disabled for this User", "asked again", NextRetry, 3},
	{"daily limit", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "used all its API calls of the last 24 hours", NextWait, 1},
	{"concurrent limit", 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", "too many long calls run at once", NextRetry, 3},
	{"query timeout", 400, "QUERY_TIMEOUT", "Your query request was running for too long.", "a smaller time window", NextNarrow, 1},
	{"too long", 503, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long, and has been stopped.", "a smaller time window", NextNarrow, 1},
	{"hidden field", 400, "INVALID_FIELD", "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", "No such column 'Bacon__c' on entity 'Account'", NextDescribe, 1},
	{"hidden field of a record", 400, "", "No such column 'foo' on sobject of type Bar", "hidden from this user", NextDescribe, 1},
	{"object not readable", 400, "INVALID_TYPE", "sObject type 'Account' is not supported.", "give Read on it", NextStop, 1},
	{"enhanced notes off", 400, "INVALID_TYPE", "sObject type 'ContentNote' is not supported.", "Notes Settings", NextStop, 1},
	{"no right to see the selection", 400, "INVALID_TYPE", "sObject type 'PlatformEventChannelMember' is not supported.", "View Setup and Configuration", NextStop, 1},
	{"malformed query", 400, "MALFORMED_QUERY", "unexpected token: 'FORM'", "not SOQL", NextStop, 1},
	{"query too complicated", 400, "QUERY_TOO_COMPLICATED", "too complicated", "fewer columns", NextNarrow, 1},
	{"offset", 400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000", "OFFSET ends at 2000", NextStop, 1},
	{"expired cursor", 400, "INVALID_QUERY_LOCATOR", "invalid query locator", "run again from its start", NextRestartQuery, 1},
	{"malformed id", 400, "MALFORMED_ID", "Account ID: id value of incorrect type: 003", "15 or 18 characters", NextStop, 1},
	{"not found", 404, "NOT_FOUND", "The requested resource does not exist", "may not see it", NextGone, 1},
	{"no external id", 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: x", "described again", NextDescribe, 1},
	{"deleted", 404, "ENTITY_IS_DELETED", "entity is deleted", "the record is deleted", NextGone, 1},
	{"not queryable", 400, "INVALID_TYPE_FOR_OPERATION", "entity type X does not support query", "leave it out of the configuration", NextStop, 1},
	{"insufficient access", 403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id", "lacks a right", NextStop, 1},
	{"row locked", 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003Qk00000aBcDeIAK", "locked by another transaction", NextRetry, 3},
	{"too many ids", 400, "EXCEEDED_ID_LIMIT", "exceeded id limit", "smaller one", NextNarrow, 1},
	{"delete log purged", 400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date", "all ids are compared", NextFullRead, 1},
	{"maintenance", 503, "SERVER_UNAVAILABLE", "server temporarily unavailable", "status.salesforce.com", NextRetry, 3},
	{"internal", 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 123-456 (789)", "123-456 (789)", NextRetry, 3},
	{"security metering", 400, "TXN_SECURITY_METERING_ERROR", "We can't complete the action because enabled transaction security policies took too long to complete.", "Transaction Security Policies", NextStop, 1},
	{"security policy", 403, "TXN_SECURITY_NO_ACCESS", "The operation you requested was blocked", "Transaction Security Policies", NextStop, 1},
	{"wrong instance", 500, "URL_NOT_RESET", "destination URL not reset", "belongs to another instance", NextRefresh, 2},
	{"expired password", 403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired", "set a new one", NextStop, 1},
	{"several records", 300, "", "", "several records share this external id", NextStop, 1},
	{"method", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'GET' not allowed", "does not take this method", NextStop, 1},
	{"conflict", 409, "", "", "another API version", NextNewJob, 1},
	{"version retired", 410, "UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", "set api_version to a newer one", NextStop, 1},
	{"precondition", 412, "", "", "precondition", NextStop, 1},
	{"address too long", 414, "", "", "16,384 bytes", NextNarrow, 1},
	{"media type", 415, "UNSUPPORTED_MEDIA_TYPE", "", "kind of body", NextStop, 1},
	{"host unknown to the edge", 420, "", "", "Setup > My Domain shows the name", NextStop, 1},
	{"precondition required", 428, "", "", "precondition", NextStop, 1},
	{"too many requests", 429, "", "", "too many calls at once", NextRetry, 3},
	{"headers too long", 431, "", "", "16,384 bytes", NextNarrow, 1},
	{"edge", 502, "", "", "edge did not reach", NextRetry, 3},
	{"bare 500", 500, "", "", "asked again", NextRetry, 3},
	{"new code", 400, "SOMETHING_NEW", "said so", "Salesforce's", NextStop, 1},
}

func TestRefusedCallsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, row := range refusedCalls {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			body := ""
			if row.code != "" || row.message != "" {
				list, err := json.Marshal([]map[string]any{{"message": row.message, "errorCode": row.code, "fields": []string{"Id"}}})
				if err != nil {
					t.Fatal(err)
				}
				body = string(list)
			}
			o.json(limitsPath, row.status, body)
			_, err := o.client(t).Limits(t.Context())
			var answered *Error
			if !errors.As(err, &answered) {
				t.Fatalf("got %v", err)
			}
			if answered.Next() != row.next || answered.Retryable() != (row.next == NextRetry) || answered.Code != row.code || answered.Message != row.message {
				t.Errorf("next is %q, want %q: %+v", answered.Next(), row.next, answered)
			}
			has(t, err.Error(), "read limits: ", row.reads)
			if n := len(o.requests(limitsPath)); n != row.calls {
				t.Errorf("%d calls, want %d", n, row.calls)
			}
			if body != "" && (len(answered.Fields) != 1 || answered.Fields[0] != "Id") {
				t.Errorf("fields %v", answered.Fields)
			}
		})
	}
}

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
	for _, row := range refusedLogins {
		f.Add(`{"error":"` + row.code + `","error_description":"` + row.description + `"}`)
		f.Add("error=" + row.code + "&error_description=" + row.description)
	}
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
