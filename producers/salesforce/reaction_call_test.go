package salesforce_test

import (
	"log/slog"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// refusedCall is a row of facts 2.2.
type refusedCall struct {
	fact  string          // the row's status, or errorCode and message
	ask   string          // which call of the producer's meets it, of asks
	wire  simulator.Fault // what the org answers; its message is the fact's, to the letter
	next  reaction
	reads string // what it means and what to do, as a person reads it
}

// asks are calls that the producer makes all the time, with the requests that they make of the org and what the log says
// when they fail. Reads by id follow a gap event; notes are polled.
var asks = map[string]struct{ method, path, fails string }{
	"by id":     {"POST", "/services/data/v66.0/composite/sobjects/Account", "records could not be read by id; they are asked for again"},
	"notes":     {"GET", "/services/data/v66.0/queryAll", "notes could not be polled; they are tried again"},
	"next page": {"GET", "/services/data/v66.0/query/*", "notes could not be polled; they are tried again"},
	"updated":   {"GET", "/services/data/v66.0/sobjects/Note/updated/", "changed or deleted notes cannot be listed; all of them are compared"},
	"deleted":   {"GET", "/services/data/v66.0/sobjects/Note/deleted/", "changed or deleted notes cannot be listed; all of them are compared"},
	"describe":  {"GET", "/services/data/v66.0/sobjects/Account/describe", "fields could not be described"},
	"limits":    {"GET", "/services/data/v66.0/limits", "the org's limits cannot be read"},
}

// facts22 are the rows of facts 2.2, in their order: the table of statuses, then that of error codes.
var facts22 = []refusedCall{
	{
		"300 external id matches several records", "by id", answersPage(300, "application/json;charset=UTF-8", `["/services/data/v66.0/sobjects/Account/001000000000001AAA","/services/data/v66.0/sobjects/Account/001000000000002AAA"]`), ends,
		"several records share this external id; use the record id",
	},
	{
		"304 not modified", "describe", answersPage(304, "", ""), retries,
		"a proxy on the way keeps answers of its own; let the program reach the host directly",
	},
	{
		"400 bad request", "notes", answers(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), retries,
		"the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"401 session/token expired or invalid", "notes", answers(401, "INVALID_SESSION_ID", "Session expired or invalid"), retries,
		"the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"403 refused", "notes", answers(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id"), retries,
		"this user lacks a right for it; reading limits and Setup data needs View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)",
	},
	{
		"404 NOT_FOUND, also hidden by sharing", "by id", answers(404, "NOT_FOUND", "The requested resource does not exist"), ends,
		"it does not exist, or this user may not see it; if it should, give Read on the object (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"405 METHOD_NOT_ALLOWED", "by id", answers(405, "METHOD_NOT_ALLOWED", "HTTP Method 'GET' not allowed. Allowed are POST"), ends,
		"this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"415 unsupported media type", "by id", answers(415, "UNSUPPORTED_MEDIA_TYPE", "The content type is not supported"), ends,
		"this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"409 conflict, API version not compatible", "by id", answersPage(409, "", ""), ends,
		"the API version does not fit what was asked for (results are read with the version that created their job); a new job is created",
	},
	{
		"410 resource/version retired", "by id", answers(410, "UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"), ends,
		"this API version is retired; set api_version to a newer one (GET /services/data lists them)",
	},
	{
		"412 precondition failed", "by id", answersPage(412, "", ""), ends,
		"this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"428 precondition required", "by id", answersPage(428, "", ""), ends,
		"this is a fault of Crosswalk's, or of a proxy on the way; report it with this line",
	},
	{
		"414 URI longer than 16,384 bytes", "notes", answers(414, "URI_TOO_LONG", "URI length exceeds the limit of 16384 bytes"), retries,
		"the address became too long; ask for fewer fields, or shorten the condition, if it is yours",
	},
	{
		"420 Salesforce Edge has no routing info", "by id", answersPage(420, "text/html", "<html><body>Salesforce Edge has no routing information for this host.</body></html>"), ends,
		"Salesforce does not know this host; correct login_url or instance_url (Setup > My Domain shows the name)",
	},
	{
		"431 URI + headers longer than 16,384 bytes", "notes", answers(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "URI and headers exceed the limit of 16384 bytes"), retries,
		"the address became too long; ask for fewer fields, or shorten the condition, if it is yours",
	},
	{
		"500 internal", "by id", answersPage(500, "", ""), passes,
		"Salesforce could not answer just now (status.salesforce.com); this passes by itself",
	},
	{
		"502 Edge could not reach the instance", "by id", answersPage(502, "text/html", "<html><head><title>502 Bad Gateway</title></head><body></body></html>"), passes,
		"Salesforce's edge did not reach the org's instance (status.salesforce.com); this passes by itself",
	},
	{
		"503 maintenance or overload", "by id", answersPage(503, "text/html", "<html><head><title>We are down for maintenance</title></head><body></body></html>"), passes,
		"Salesforce is overloaded or in maintenance (status.salesforce.com); this passes by itself",
	},
	{
		"INVALID_SESSION_ID Session expired or invalid", "by id", answers(401, "INVALID_SESSION_ID", "Session expired or invalid"), ends,
		"the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"INVALID_SESSION_ID not valid for use with the REST API", "by id", answers(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"), ends,
		"the app has no api scope, or API Access Control does not list it; add the scope api (External Client App Manager or App Manager > the app > OAuth settings), and see Setup > API Access Control",
	},
	{
		"Connected app is not attached to Agent", "by id", answersPage(401, "application/json;charset=UTF-8", `[{"message":"Connected app is not attached to Agent"}]`), ends,
		"the app may not be used by this kind of user; log in through an External Client App of the org",
	},
	{
		"INVALID_AUTH_HEADER", "by id", answers(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"), ends,
		"the Authorization header was damaged on the way; check the proxy",
	},
	{
		"API_DISABLED_FOR_ORG", "by id", answers(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."), ends,
		"this user or edition has no API; give the user API Enabled (Setup > Permission Sets > the set > System Permissions); Professional Edition needs API access bought",
	},
	{
		"API_DISABLED_FOR_ORG or user type", "by id", answers(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization or user type."), ends,
		"this user or edition has no API; give the user API Enabled (Setup > Permission Sets > the set > System Permissions); Professional Edition needs API access bought",
	},
	{
		"API_CURRENTLY_DISABLED", "by id", answers(403, "API_CURRENTLY_DISABLED", "API is disabled for this User"), passes,
		"the API is switched off for the moment; this passes by itself",
	},
	{
		"API_CURRENTLY_DISABLED with 503", "by id", answers(503, "API_CURRENTLY_DISABLED", "API is disabled for this User"), passes,
		"the API is switched off for the moment; this passes by itself",
	},
	{
		"REQUEST_LIMIT_EXCEEDED TotalRequests", "notes", answers(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), pauses,
		"Salesforce says that the org's API calls of the last 24 hours are used up; it is asked again",
	},
	{
		"REQUEST_LIMIT_EXCEEDED ConcurrentPerOrgLongTxn", "notes", answers(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), passes,
		"too many calls of 20 seconds and more run at once in the org; this passes when they end",
	},
	{
		"QUERY_TIMEOUT", "notes", answers(400, "QUERY_TIMEOUT", "Your query request was running for too long."), retries,
		"the query ran for too long; ask for less at a time: fewer fields (formulas first), a smaller time window, a narrower condition",
	},
	{
		"REQUEST_RUNNING_TOO_LONG", "notes", answers(503, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long, and has been stopped."), retries,
		"the query ran for too long; ask for less at a time: fewer fields (formulas first), a smaller time window, a narrower condition",
	},
	{
		"INVALID_FIELD", "notes", answers(400, "INVALID_FIELD", "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."), retries,
		"a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_FIELD of a record's fields", "by id", answers(400, "INVALID_FIELD", "No such column 'foo' on sobject of type Bar"), passes,
		"a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_FIELD No such relation", "notes", answers(400, "INVALID_FIELD", "No such relation 'x' on entity 'Account'"), retries,
		"a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_TYPE", "notes", answers(400, "INVALID_TYPE", "\nSELECT Id FROM Account\n               ^\nERROR at Row:1:Column:16\nsObject type 'Account' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."), retries,
		"this user may not read the object, or it does not exist; give Read on it (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"MALFORMED_QUERY", "notes", answers(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), retries,
		"the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"QUERY_TOO_COMPLICATED", "notes", answers(400, "QUERY_TOO_COMPLICATED", "Query is either selecting too many fields or the filter conditions are too complicated."), retries,
		"the formulas among the fields make the query too complicated; ask for fewer of them",
	},
	{
		"NUMBER_OUTSIDE_VALID_RANGE", "notes", answers(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"), retries,
		"a number in the query is out of range (OFFSET ends at 2000); correct the condition, if it is yours, or report this line",
	},
	{
		"INVALID_QUERY_LOCATOR", "next page", answers(400, "INVALID_QUERY_LOCATOR", "invalid query locator"), retries,
		"the query's cursor has expired; it is run again from its start",
	},
	{
		"MALFORMED_ID", "by id", answers(400, "MALFORMED_ID", "Account ID: id value of incorrect type: 003000000000001AAA"), ends,
		"an id is not one of this object's; ids have 15 or 18 characters and their case matters",
	},
	{
		"NOT_FOUND resource", "describe", answers(404, "NOT_FOUND", "The requested resource does not exist"), retries,
		"it does not exist, or this user may not see it; if it should, give Read on the object (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"NOT_FOUND external id field", "by id", answers(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: x"), passes,
		"a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"ENTITY_IS_DELETED", "by id", answers(404, "ENTITY_IS_DELETED", "entity is deleted"), ends,
		"the record is deleted",
	},
	{
		"INVALID_TYPE_FOR_OPERATION", "notes", answers(400, "INVALID_TYPE_FOR_OPERATION", "entity type X does not support query"), retries,
		"the object cannot be queried at all; leave it out of the configuration",
	},
	{
		"INSUFFICIENT_ACCESS", "limits", answers(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id"), retries,
		"this user lacks a right for it; reading limits and Setup data needs View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)",
	},
	{
		"UNABLE_TO_LOCK_ROW with 400", "by id", answers(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003000000000001AAA"), passes,
		"the record is locked by another transaction; this passes when that ends",
	},
	{
		"UNABLE_TO_LOCK_ROW with 500", "by id", answers(500, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003000000000001AAA"), passes,
		"the record is locked by another transaction; this passes when that ends",
	},
	{
		"EXCEEDED_ID_LIMIT", "updated", answers(400, "EXCEEDED_ID_LIMIT", "exceeded limit of 600000 ids"), retries,
		"more than 600,000 records changed in the window; ask for a smaller one",
	},
	{
		"INVALID_REPLICATION_DATE", "deleted", answers(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date"), retries,
		"the list of changes does not reach back so far; all ids are compared instead",
	},
	{
		"SERVER_UNAVAILABLE", "notes", answers(503, "SERVER_UNAVAILABLE", "Server is too busy. Please try again later."), passes,
		"Salesforce is overloaded or in maintenance (status.salesforce.com); this passes by itself",
	},
	{
		"UNKNOWN_EXCEPTION", "notes", answers(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-123456789)"), passes,
		"Salesforce failed inside; this mostly passes, and else its support wants the ErrorId above",
	},
	{
		"TXN_SECURITY_METERING_ERROR", "notes", answers(400, "TXN_SECURITY_METERING_ERROR", "We can't complete the action because enabled transaction security policies took too long to complete."), retries,
		"a transaction security policy took too long; ask the administrator to exempt this user (Setup > Transaction Security Policies)",
	},
	{
		"TXN_SECURITY_NO_ACCESS", "notes", answers(403, "TXN_SECURITY_NO_ACCESS", "The operation you requested was blocked by a transaction security policy."), retries,
		"a transaction security policy forbids this read; ask the administrator to exempt this user (Setup > Transaction Security Policies)",
	},
	{
		"URL_NOT_RESET", "notes", answers(500, "URL_NOT_RESET", "destination URL not reset. The URL returned from login must be set in the SforceService"), retries,
		"the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)",
	},
	{
		"URL_NOT_RESET with 401", "notes", answers(401, "URL_NOT_RESET", "destination URL not reset. The URL returned from login must be set in the SforceService"), retries,
		"the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)",
	},
	{
		"429, which core REST does not document", "notes", answersPage(429, "text/plain", "Too Many Requests"), passes,
		"too many calls at once; this passes by itself",
	},
}

func TestReactionsToFacts22(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{Settings: simulator.Settings{QueryBatch: 5}}, func(b *patient) {
		b.config.DescribeEvery, b.config.LimitsEvery = 50*time.Millisecond, 50*time.Millisecond
	})
	for range 7 { // more than fit into a page, young enough for every poll
		_, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "B", "ParentId": b.some[0]})
		b.must(err)
	}
	for _, row := range facts22 {
		b.row(t, row.fact, func() { row.run(b) })
	}
	b.discreet()
}

func (row refusedCall) run(b *patient) {
	p, ask, from := b.alive(), asks[row.ask], b.diary.mark()
	b.refuse(ask.method, ask.path, row.wire)
	id, city := "", ""
	if row.ask == "by id" {
		id, city = b.change(true)
	}
	switch row.next {
	case ends:
		b.ended("produce from org default: ", row.reads)
		b.sim.ClearFaults()
		p = b.alive()
	case passes:
		b.reads(from, slog.LevelWarn, row.reads)
	case pauses:
		b.reads(from, slog.LevelWarn, "reading pauses", row.reads)
		b.awaitPause(p, row.ask)
	case retries:
		b.reads(from, slog.LevelWarn, ask.fails, row.reads)
	}
	if row.ask == "notes" && row.next == retries {
		b.await(p, func(s salesforce.Status) bool { return containsAll(s.Notes["Note"].Failed, row.reads) })
	}
	b.sim.ClearFaults()
	if id != "" {
		b.shown(id, city)
	}
	if row.ask == "notes" { // and goes on
		b.await(p, func(s salesforce.Status) bool {
			_, waits := paused(s, "notes")
			return s.Notes["Note"].Ready && s.Notes["Note"].Failed == "" && !waits
		})
	}
}
