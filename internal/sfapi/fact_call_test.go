package sfapi_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
)

// refusedCall is a row of facts 2.2 or 3.5.
type refusedCall struct {
	fact  string          // the row's status, or errorCode and message
	ask   string          // which call meets it, of asks
	wire  simulator.Fault // what the org answers; its message is the fact's, to the letter
	after sfapi.Next      // what the program does next
	reads string          // the whole sentence
}

// asks are the calls, each with the requests that it makes of the org, as simulator.Rule matches them.
var asks = map[string]struct {
	method, path string
	call         func(context.Context, *sfapi.Client) error
}{
	"probe": {"GET", "/services/data/v66.0/", func(ctx context.Context, c *sfapi.Client) error { return c.Probe(ctx) }},
	"query": {"GET", "/services/data/v66.0/query", func(ctx context.Context, c *sfapi.Client) error {
		_, err := drain(c.Query(ctx, "SELECT Id FROM Account", sfapi.QueryOptions{}))
		return err
	}},
	"next page": {"GET", "/services/data/v66.0/query/*", func(ctx context.Context, c *sfapi.Client) error {
		_, err := drain(c.Query(ctx, "SELECT Id FROM Account", sfapi.QueryOptions{}))
		return err
	}},
	"describe": {"GET", "/services/data/v66.0/sobjects/*/describe", func(ctx context.Context, c *sfapi.Client) error {
		_, err := c.Describe(ctx, "Account")
		return err
	}},
	"record": {"GET", "/services/data/v66.0/sobjects/Account/*", func(ctx context.Context, c *sfapi.Client) error {
		_, err := c.Record(ctx, "Account", "001000000000001AAA", "Name")
		return err
	}},
	"by id": {"POST", "/services/data/v66.0/composite/sobjects/Account", func(ctx context.Context, c *sfapi.Client) error {
		return c.Retrieve(ctx, "Account", []string{"Name"}, []string{"001000000000001AAA"}, func(string, json.RawMessage) error { return nil })
	}},
	"updated": {"GET", "/services/data/v66.0/sobjects/*/updated/", func(ctx context.Context, c *sfapi.Client) error {
		_, err := c.Updated(ctx, "Account", time.Now().Add(-time.Hour), time.Now())
		return err
	}},
	"deleted": {"GET", "/services/data/v66.0/sobjects/*/deleted/", func(ctx context.Context, c *sfapi.Client) error {
		_, err := c.Deleted(ctx, "Account", time.Now().Add(-time.Hour), time.Now())
		return err
	}},
	"limits": {"GET", "/services/data/v66.0/limits", func(ctx context.Context, c *sfapi.Client) error {
		_, err := c.Limits(ctx)
		return err
	}},
	"body": {"GET", "/services/data/v66.0/sobjects/ContentVersion/*", func(ctx context.Context, c *sfapi.Client) error {
		body, err := c.Blob(ctx, "ContentVersion", "068000000000001AAA", "VersionData")
		if err == nil {
			err = body.Close()
		}
		return err
	}},
}

// facts22 are the rows of facts 2.2, in their order: the table of statuses, then that of error codes.
var facts22 = []refusedCall{
	{
		"300 external id matches several records", "record", plainPage(300, "application/json;charset=UTF-8", `["/services/data/v66.0/sobjects/Account/001000000000001AAA","/services/data/v66.0/sobjects/Account/001000000000002AAA"]`), sfapi.NextStop,
		`read Account 001000000000001AAA: HOST answered 300 Multiple Choices (["/services/data/v66.0/sobjects/Account/001000000000001AAA","/services/data/v66.0/sobjects/Account/001000000000002AAA"]): several records share this external id; use the record id`,
	},
	{
		"304 not modified", "describe", plainPage(304, "", ""), sfapi.NextStop,
		"describe Account: HOST answered 304 Not Modified (no explanation): a proxy on the way keeps answers of its own; let the program reach the host directly",
	},
	{
		"400 bad request", "query", said(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (MALFORMED_QUERY: unexpected token: 'FORM'): the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"401 session/token expired or invalid", "query", said(401, "INVALID_SESSION_ID", "Session expired or invalid"), sfapi.NextRefresh,
		"query Account: HOST answered 401 Unauthorized (INVALID_SESSION_ID: Session expired or invalid): the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"403 refused", "query", said(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id"), sfapi.NextStop,
		"query Account: HOST answered 403 Forbidden (INSUFFICIENT_ACCESS: insufficient access rights on object id): this user lacks a right for it; reading limits and Setup data needs View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)",
	},
	{
		"404 NOT_FOUND, also hidden by sharing", "record", said(404, "NOT_FOUND", "The requested resource does not exist"), sfapi.NextGone,
		"read Account 001000000000001AAA: HOST answered 404 Not Found (NOT_FOUND: The requested resource does not exist): it does not exist, or this user may not see it; if it should, give Read on the object (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"405 METHOD_NOT_ALLOWED", "probe", said(405, "METHOD_NOT_ALLOWED", "HTTP Method 'GET' not allowed. Allowed are POST"), sfapi.NextStop,
		"call the REST API: HOST answered 405 Method Not Allowed (METHOD_NOT_ALLOWED: HTTP Method 'GET' not allowed. Allowed are POST): this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"415 unsupported media type", "by id", said(415, "UNSUPPORTED_MEDIA_TYPE", "The content type is not supported"), sfapi.NextStop,
		"read 1 records of Account by id: HOST answered 415 Unsupported Media Type (UNSUPPORTED_MEDIA_TYPE: The content type is not supported): this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"409 conflict, API version not compatible", "probe", plainPage(409, "", ""), sfapi.NextNewJob,
		"call the REST API: HOST answered 409 Conflict (no explanation): the API version does not fit what was asked for (results are read with the version that created their job); a new job is created",
	},
	{
		"410 resource/version retired", "probe", said(410, "UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"), sfapi.NextStop,
		"call the REST API: HOST answered 410 Gone (UNSUPPORTED_API_VERSION: Invalid Api version specified on URL): this API version is retired; set api_version to a newer one (GET /services/data lists them)",
	},
	{
		"412 precondition failed", "probe", plainPage(412, "", ""), sfapi.NextStop,
		"call the REST API: HOST answered 412 Precondition Failed (no explanation): this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"428 precondition required", "probe", plainPage(428, "", ""), sfapi.NextStop,
		"call the REST API: HOST answered 428 Precondition Required (no explanation): this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"414 URI longer than 16,384 bytes", "query", said(414, "URI_TOO_LONG", "URI length exceeds the limit of 16384 bytes"), sfapi.NextNarrow,
		"query Account: HOST answered 414 Request URI Too Long (URI_TOO_LONG: URI length exceeds the limit of 16384 bytes): the address became too long; ask for fewer fields, or shorten the condition, if it is yours",
	},
	{
		"420 Salesforce Edge has no routing info", "probe", plainPage(420, "text/html", "<html><body>Salesforce Edge has no routing information for this host.</body></html>"), sfapi.NextStop,
		"call the REST API: HOST answered 420 (an HTML page): Salesforce does not know this host; correct login_url or instance_url (Setup > My Domain shows the name)",
	},
	{
		"431 URI + headers longer than 16,384 bytes", "query", said(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "URI and headers exceed the limit of 16384 bytes"), sfapi.NextNarrow,
		"query Account: HOST answered 431 Request Header Fields Too Large (REQUEST_HEADER_FIELDS_TOO_LARGE: URI and headers exceed the limit of 16384 bytes): the address became too long; ask for fewer fields, or shorten the condition, if it is yours",
	},
	{
		"500 internal", "probe", plainPage(500, "", ""), sfapi.NextRetry,
		"call the REST API: HOST answered 500 Internal Server Error (no explanation): Salesforce could not answer just now (status.salesforce.com); this passes by itself (attempt 8 of 8)",
	},
	{
		"502 Edge could not reach the instance", "probe", plainPage(502, "text/html", "<html><head><title>502 Bad Gateway</title></head><body></body></html>"), sfapi.NextRetry,
		"call the REST API: HOST answered 502 Bad Gateway (an HTML page titled 502 Bad Gateway): Salesforce's edge did not reach the org's instance (status.salesforce.com); this passes by itself (attempt 8 of 8)",
	},
	{
		"503 maintenance or overload", "probe", plainPage(503, "text/html", "<html><head><title>We are down for maintenance</title></head><body></body></html>"), sfapi.NextRetry,
		"call the REST API: HOST answered 503 Service Unavailable (an HTML page titled We are down for maintenance): Salesforce is overloaded or in maintenance (status.salesforce.com); this passes by itself (attempt 8 of 8)",
	},
	{
		"INVALID_SESSION_ID Session expired or invalid", "probe", said(401, "INVALID_SESSION_ID", "Session expired or invalid"), sfapi.NextRefresh,
		"call the REST API: HOST answered 401 Unauthorized (INVALID_SESSION_ID: Session expired or invalid): the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"INVALID_SESSION_ID not valid for use with the REST API", "probe", said(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"), sfapi.NextStop,
		"call the REST API: HOST answered 401 Unauthorized (INVALID_SESSION_ID: This session is not valid for use with the REST API): the app has no api scope, or API Access Control does not list it; add the scope api (External Client App Manager or App Manager > the app > OAuth settings), and see Setup > API Access Control",
	},
	{
		"Connected app is not attached to Agent", "probe", plainPage(401, "application/json;charset=UTF-8", `[{"message":"Connected app is not attached to Agent"}]`), sfapi.NextStop,
		"call the REST API: HOST answered 401 Unauthorized (Connected app is not attached to Agent): the app may not be used by this kind of user; log in through an External Client App of the org",
	},
	{
		"INVALID_AUTH_HEADER", "probe", said(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"), sfapi.NextStop,
		"call the REST API: HOST answered 401 Unauthorized (INVALID_AUTH_HEADER: INVALID_HEADER_TYPE): the Authorization header was damaged on the way; check the proxy",
	},
	{
		"API_DISABLED_FOR_ORG", "probe", said(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."), sfapi.NextStop,
		"call the REST API: HOST answered 403 Forbidden (API_DISABLED_FOR_ORG: The REST API is not enabled for this Organization.): this user or edition has no API; give the user API Enabled (Setup > Permission Sets > the set > System Permissions); Professional Edition needs API access bought",
	},
	{
		"API_DISABLED_FOR_ORG or user type", "probe", said(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization or user type."), sfapi.NextStop,
		"call the REST API: HOST answered 403 Forbidden (API_DISABLED_FOR_ORG: The REST API is not enabled for this Organization or user type.): this user or edition has no API; give the user API Enabled (Setup > Permission Sets > the set > System Permissions); Professional Edition needs API access bought",
	},
	{
		"API_CURRENTLY_DISABLED", "probe", said(403, "API_CURRENTLY_DISABLED", "API is disabled for this User"), sfapi.NextRetry,
		"call the REST API: HOST answered 403 Forbidden (API_CURRENTLY_DISABLED: API is disabled for this User): the API is switched off for the moment; this passes by itself (attempt 8 of 8)",
	},
	{
		"API_CURRENTLY_DISABLED with 503", "probe", said(503, "API_CURRENTLY_DISABLED", "API is disabled for this User"), sfapi.NextRetry,
		"call the REST API: HOST answered 503 Service Unavailable (API_CURRENTLY_DISABLED: API is disabled for this User): the API is switched off for the moment; this passes by itself (attempt 8 of 8)",
	},
	{
		"REQUEST_LIMIT_EXCEEDED TotalRequests", "query", said(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), sfapi.NextWait,
		"query Account: HOST answered 403 Forbidden (REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.): the org has used all its API calls of the last 24 hours; reading pauses until some are free (Setup > Company Information > API Requests, Last 24 Hours)",
	},
	{
		"REQUEST_LIMIT_EXCEEDED ConcurrentPerOrgLongTxn", "query", said(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), sfapi.NextRetry,
		"query Account: HOST answered 403 Forbidden (REQUEST_LIMIT_EXCEEDED: ConcurrentPerOrgLongTxn Limit exceeded.): too many calls of 20 seconds and more run at once in the org; this passes when they end (attempt 8 of 8)",
	},
	{
		"QUERY_TIMEOUT", "query", said(400, "QUERY_TIMEOUT", "Your query request was running for too long."), sfapi.NextNarrow,
		"query Account: HOST answered 400 Bad Request (QUERY_TIMEOUT: Your query request was running for too long.): the query ran for too long; ask for less at a time: fewer fields (formulas first), a smaller time window, a narrower condition",
	},
	{
		"REQUEST_RUNNING_TOO_LONG", "query", said(503, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long, and has been stopped."), sfapi.NextNarrow,
		"query Account: HOST answered 503 Service Unavailable (REQUEST_RUNNING_TOO_LONG: Your request was running for too long, and has been stopped.): the query ran for too long; ask for less at a time: fewer fields (formulas first), a smaller time window, a narrower condition",
	},
	{
		"INVALID_FIELD", "query", said(400, "INVALID_FIELD", "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."), sfapi.NextDescribe,
		"query Account: HOST answered 400 Bad Request (INVALID_FIELD: SELECT Bacon__c FROM Account LIMIT 2 ^ ERROR at Row:1:Column:8 No such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.): a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_FIELD of a record's fields", "record", said(400, "INVALID_FIELD", "No such column 'foo' on sobject of type Bar"), sfapi.NextDescribe,
		"read Account 001000000000001AAA: HOST answered 400 Bad Request (INVALID_FIELD: No such column 'foo' on sobject of type Bar): a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_FIELD No such relation", "query", said(400, "INVALID_FIELD", "No such relation 'x' on entity 'Account'"), sfapi.NextDescribe,
		"query Account: HOST answered 400 Bad Request (INVALID_FIELD: No such relation 'x' on entity 'Account'): a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_TYPE", "query", said(400, "INVALID_TYPE", "\nSELECT Id FROM Account\n               ^\nERROR at Row:1:Column:16\nsObject type 'Account' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (INVALID_TYPE: SELECT Id FROM Account ^ ERROR at Row:1:Column:16 sObject type 'Account' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.): this user may not read the object, or it does not exist; give Read on it (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"MALFORMED_QUERY", "query", said(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (MALFORMED_QUERY: unexpected token: 'FORM'): the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"QUERY_TOO_COMPLICATED", "query", said(400, "QUERY_TOO_COMPLICATED", "Query is either selecting too many fields or the filter conditions are too complicated."), sfapi.NextNarrow,
		"query Account: HOST answered 400 Bad Request (QUERY_TOO_COMPLICATED: Query is either selecting too many fields or the filter conditions are too complicated.): the formulas among the fields make the query too complicated; ask for fewer of them",
	},
	{
		"NUMBER_OUTSIDE_VALID_RANGE", "query", said(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (NUMBER_OUTSIDE_VALID_RANGE: Maximum SOQL offset allowed is 2000): a number in the query is out of range (OFFSET ends at 2000); correct the condition, if it is yours, or report this line",
	},
	{
		"INVALID_QUERY_LOCATOR", "next page", said(400, "INVALID_QUERY_LOCATOR", "invalid query locator"), sfapi.NextRestartQuery,
		"read the next page of a query: HOST answered 400 Bad Request (INVALID_QUERY_LOCATOR: invalid query locator): the query's cursor has expired; it is run again from its start",
	},
	{
		"MALFORMED_ID", "record", said(400, "MALFORMED_ID", "Account ID: id value of incorrect type: 003000000000001AAA"), sfapi.NextStop,
		"read Account 001000000000001AAA: HOST answered 400 Bad Request (MALFORMED_ID: Account ID: id value of incorrect type: 003000000000001AAA): an id is not one of this object's; ids have 15 or 18 characters and their case matters",
	},
	{
		"NOT_FOUND resource", "describe", said(404, "NOT_FOUND", "The requested resource does not exist"), sfapi.NextGone,
		"describe Account: HOST answered 404 Not Found (NOT_FOUND: The requested resource does not exist): it does not exist, or this user may not see it; if it should, give Read on the object (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"NOT_FOUND external id field", "record", said(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: x"), sfapi.NextDescribe,
		"read Account 001000000000001AAA: HOST answered 404 Not Found (NOT_FOUND: Provided external ID field does not exist or is not accessible: x): a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"ENTITY_IS_DELETED", "record", said(404, "ENTITY_IS_DELETED", "entity is deleted"), sfapi.NextGone,
		"read Account 001000000000001AAA: HOST answered 404 Not Found (ENTITY_IS_DELETED: entity is deleted): the record is deleted",
	},
	{
		"INVALID_TYPE_FOR_OPERATION", "query", said(400, "INVALID_TYPE_FOR_OPERATION", "entity type X does not support query"), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (INVALID_TYPE_FOR_OPERATION: entity type X does not support query): the object cannot be queried at all; leave it out of the configuration",
	},
	{
		"INSUFFICIENT_ACCESS", "limits", said(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id"), sfapi.NextStop,
		"read limits: HOST answered 403 Forbidden (INSUFFICIENT_ACCESS: insufficient access rights on object id): this user lacks a right for it; reading limits and Setup data needs View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)",
	},
	{
		"UNABLE_TO_LOCK_ROW with 400", "by id", said(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003000000000001AAA"), sfapi.NextRetry,
		"read 1 records of Account by id: HOST answered 400 Bad Request (UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record or 1 records: 003000000000001AAA): the record is locked by another transaction; this passes when that ends (attempt 8 of 8)",
	},
	{
		"UNABLE_TO_LOCK_ROW with 500", "by id", said(500, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003000000000001AAA"), sfapi.NextRetry,
		"read 1 records of Account by id: HOST answered 500 Internal Server Error (UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record or 1 records: 003000000000001AAA): the record is locked by another transaction; this passes when that ends (attempt 8 of 8)",
	},
	{
		"EXCEEDED_ID_LIMIT", "updated", said(400, "EXCEEDED_ID_LIMIT", "exceeded limit of 600000 ids"), sfapi.NextNarrow,
		"list updated records of Account: HOST answered 400 Bad Request (EXCEEDED_ID_LIMIT: exceeded limit of 600000 ids): more than 600,000 records changed in the window; ask for a smaller one",
	},
	{
		"INVALID_REPLICATION_DATE", "deleted", said(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date"), sfapi.NextFullRead,
		"list deleted records of Account: HOST answered 400 Bad Request (INVALID_REPLICATION_DATE: startDate before org replication enabled date): the list of changes does not reach back so far; all ids are compared instead",
	},
	{
		"SERVER_UNAVAILABLE", "query", said(503, "SERVER_UNAVAILABLE", "Server is too busy. Please try again later."), sfapi.NextRetry,
		"query Account: HOST answered 503 Service Unavailable (SERVER_UNAVAILABLE: Server is too busy. Please try again later.): Salesforce is overloaded or in maintenance (status.salesforce.com); this passes by itself (attempt 8 of 8)",
	},
	{
		"UNKNOWN_EXCEPTION", "query", said(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-123456789)"), sfapi.NextRetry,
		"query Account: HOST answered 500 Internal Server Error (UNKNOWN_EXCEPTION: An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-123456789)): Salesforce failed inside; this mostly passes, and else its support wants the ErrorId above (attempt 8 of 8)",
	},
	{
		"TXN_SECURITY_METERING_ERROR", "query", said(400, "TXN_SECURITY_METERING_ERROR", "We can't complete the action because enabled transaction security policies took too long to complete."), sfapi.NextStop,
		"query Account: HOST answered 400 Bad Request (TXN_SECURITY_METERING_ERROR: We can't complete the action because enabled transaction security policies took too long to complete.): a transaction security policy took too long; ask the administrator to exempt this user (Setup > Transaction Security Policies)",
	},
	{
		"TXN_SECURITY_NO_ACCESS", "query", said(403, "TXN_SECURITY_NO_ACCESS", "The operation you requested was blocked by a transaction security policy."), sfapi.NextStop,
		"query Account: HOST answered 403 Forbidden (TXN_SECURITY_NO_ACCESS: The operation you requested was blocked by a transaction security policy.): a transaction security policy forbids this read; ask the administrator to exempt this user (Setup > Transaction Security Policies)",
	},
	{
		"URL_NOT_RESET", "query", said(500, "URL_NOT_RESET", "destination URL not reset. The URL returned from login must be set in the SforceService"), sfapi.NextRefresh,
		"query Account: HOST answered 500 Internal Server Error (URL_NOT_RESET: destination URL not reset. The URL returned from login must be set in the SforceService): the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)",
	},
	{
		"URL_NOT_RESET with 401", "query", said(401, "URL_NOT_RESET", "destination URL not reset. The URL returned from login must be set in the SforceService"), sfapi.NextRefresh,
		"query Account: HOST answered 401 Unauthorized (URL_NOT_RESET: destination URL not reset. The URL returned from login must be set in the SforceService): the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)",
	},
	{
		"429, which core REST does not document", "query", plainPage(429, "text/plain", "Too Many Requests"), sfapi.NextRetry,
		"query Account: HOST answered 429 Too Many Requests (Too Many Requests): too many calls at once; this passes by itself (attempt 8 of 8)",
	},
}

func TestFacts22(t *testing.T) {
	t.Parallel()
	for _, row := range facts22 {
		t.Run(row.fact, row.run)
	}
}

// attempts is how often a call is made that the org always refuses: all of the client's attempts when it may pass, twice
// when a new token may help, once otherwise.
var attempts = map[sfapi.Next]int{sfapi.NextRetry: 8, sfapi.NextRefresh: 2}

func (row refusedCall) run(t *testing.T) {
	t.Parallel()
	o := newFactOrg(t, simulator.Config{})
	ask := asks[row.ask]
	if _, err := o.tokens.Token(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	o.refuse(ask.method, ask.path, -1, row.wire)
	err := ask.call(t.Context(), o.client)
	reads(t, o.sentence(t, err), row.reads)
	if next := sfapi.NextOf(err); next != row.after {
		t.Errorf("the program does %q next, want %q", next, row.after)
	}
	if n, want := o.struck(), max(1, attempts[row.after]); n != want {
		t.Errorf("asked %d times, want %d", n, want)
	}
	if renewed := o.logins() > 1; renewed != (row.after == sfapi.NextRefresh) {
		t.Errorf("%d tokens were asked for", o.logins())
	}
	// And when it strikes once only.
	o.ClearFaults()
	o.refuse(ask.method, ask.path, 1, row.wire)
	err = ask.call(t.Context(), o.client)
	passes := row.after == sfapi.NextRetry || row.after == sfapi.NextRefresh
	if still := sfapi.NextOf(err); err != nil && passes && still == row.after || err == nil && !passes {
		t.Errorf("when it strikes once the call ends with %v", err)
	}
}

// A refusal that no fact has is shown in Salesforce's words; what is not Salesforce's is called so.
func TestUnknownRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []refusedCall{
		{
			"a code that no fact has", "query", said(400, "SOMETHING_NEW", "said so"), sfapi.NextStop,
			"query Account: HOST answered 400 Bad Request (SOMETHING_NEW: said so): Salesforce does not take the request as it is; the text above is its own, and if it names nothing to mend, report this line",
		},
		{
			"an HTML page of a proxy", "query", plainPage(403, "text/html", "<html><head><title>Blocked by policy</title></head></html>"), sfapi.NextStop,
			"query Account: HOST answered 403 Forbidden (an HTML page titled Blocked by policy): the answer is not Salesforce's: check the address and any proxy on the way",
		},
		{
			"a page in place of data", "probe", plainPage(301, "text/html", "<html><head><title>Moved</title></head></html>"), sfapi.NextStop,
			"call the REST API: HOST answered 301 Moved Permanently (an HTML page titled Moved): the host sends elsewhere, so it is not where the org's data is: correct instance_url or login_url (Setup > My Domain shows the name)",
		},
		{
			"text of a proxy", "query", plainPage(407, "text/plain", "Proxy Authentication Required"), sfapi.NextStop,
			"query Account: HOST answered 407 Proxy Authentication Required (Proxy Authentication Required): the answer is not Salesforce's: check the address and any proxy on the way",
		},
		{
			"a refused token on the identity address", "query", plainPage(403, "text/plain", "Bad_OAuth_Token"), sfapi.NextRefresh,
			"query Account: HOST answered 403 Forbidden (Bad_OAuth_Token): the session has ended, and a new token was refused as well; give the app the scope id, or leave it",
		},
		{
			"a Bulk 1.0 error", "query", plainPage(400, "application/json", `{"exceptionCode":"InvalidBatch","exceptionMessage":"Records not found"}`), sfapi.NextStop,
			"query Account: HOST answered 400 Bad Request (InvalidBatch: Records not found): Salesforce does not take the request as it is; the text above is its own, and if it names nothing to mend, report this line",
		},
	} {
		t.Run(row.fact, row.run)
	}
}

func drain(records func(func(json.RawMessage, error) bool)) (n int, err error) {
	for _, e := range records {
		if e != nil {
			return n, e
		}
		n++
	}
	return n, nil
}
