package sfapi

// diagnosis is one row: which answers it is for, what the program does next, what a person reads. A zero status, code
// or text fits every answer.
type diagnosis struct {
	status     int
	code, text string
	next       Next
	hint       string
}

const (
	hintField  = "a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)"
	hintObject = "this user may not read the object, or it does not exist; give Read on it (Setup > Permission Sets > the set > Object Settings)"
	hintApp    = "the app has no api scope, or API Access Control does not list it; add the scope api (External Client App Manager or App Manager > the app > OAuth settings), and see Setup > API Access Control"
	hintLimit  = "the org has used all its API calls of the last 24 hours; reading pauses until some are free (Setup > Company Information > API Requests, Last 24 Hours)"
	hintBulk   = "Bulk does not serve this object; it is read by REST queries instead"
	hintJob    = "the job or its results no longer exist (results are kept 7 days); a new job is created"
	hintNarrow = "the query ran for too long; ask for less at a time: fewer fields (formulas first), a smaller time window, a narrower condition"
	hintUnfit  = "the address became too long; ask for fewer fields, or shorten the condition, if it is yours"
	hintReport = "this is a fault of Crosswalk's, or of a proxy on the way; report it with this line"
)

// diagnoses holds facts 2.2, 2.3, 3.5 and the data rows of 8. The first row that fits is used: narrow rows come first.
var diagnoses = []diagnosis{
	// Bulk (3.5)
	{400, "API_ERROR", "compound data", NextDescribe, "a compound field was selected, which Bulk refuses; its components are selected after a new describe"},
	{400, "API_ERROR", "does not support query", NextStop, "the object cannot be queried at all; leave it out of the configuration"},
	{400, "API_ERROR", "job is not terminated", NextRetry, "the job is still running; it is deleted when it is over"},
	{400, "INVALIDENTITY", "", NextUseREST, hintBulk},
	{400, "INVALIDJOBSTATE", "", NextNothing, "the job is in its final state already"},
	{400, "INVALIDJOB", "", NextNewJob, hintJob},
	{0, "FEATURENOTENABLED", "", NextUseREST, "the Bulk API is not enabled for this org or user; rows are read by REST queries instead"},
	{0, "EXCEEDEDQUOTA", "", NextWait, "a Bulk quota of the last 24 hours is used up; reading pauses until some is free"},
	{0, "LIMIT_EXCEEDED", "result size", NextWait, "the org's Bulk results of the last 24 hours have reached their volume limit; reading pauses until some is free"},
	{0, "LIMIT_EXCEEDED", "", NextWait, "the org has created as many Bulk query jobs as it may in 24 hours; reading pauses until some are free"},
	{0, "", "Max bulk v2 query result size", NextWait, "the org's Bulk results of the last 24 hours have reached their volume limit; reading pauses until some is free"},
	{409, "", "", NextNewJob, "the API version does not fit what was asked for (results are read with the version that created their job); a new job is created"},
	{410, "", "", NextStop, "this API version is retired; set api_version to a newer one (GET /services/data lists them)"},

	// Sessions
	{401, "", "not valid for use with the REST API", NextStop, hintApp},
	{401, "", "Connected app is not attached", NextStop, "the app may not be used by this kind of user; log in through an External Client App of the org"},
	{401, "INVALID_AUTH_HEADER", "", NextStop, "the Authorization header was damaged on the way; check the proxy"},
	{0, "URL_NOT_RESET", "", NextRefresh, "the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)"},
	{0, "", "destination URL not reset", NextRefresh, "the token belongs to another instance, and a new one did as well; correct instance_url, or remove it (the login says where the data is)"},
	{403, "Bad_OAuth_Token", "", NextRefresh, "the session has ended, and a new token was refused as well; give the app the scope id, or leave it"},
	{401, "", "", NextRefresh, "the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)"},

	// Rights and limits
	{0, "API_DISABLED_FOR_ORG", "", NextStop, "this user or edition has no API; give the user API Enabled (Setup > Permission Sets > the set > System Permissions); Professional Edition needs API access bought"},
	{0, "API_CURRENTLY_DISABLED", "", NextRetry, "the API is switched off for the moment; this passes by itself"},
	{0, "REQUEST_LIMIT_EXCEEDED", "Concurrent", NextRetry, "too many calls of 20 seconds and more run at once in the org; this passes when they end"},
	{0, "REQUEST_LIMIT_EXCEEDED", "", NextWait, hintLimit},
	{0, "TXN_SECURITY_METERING_ERROR", "", NextStop, "a transaction security policy took too long; ask the administrator to exempt this user (Setup > Transaction Security Policies)"},
	{0, "TXN_SECURITY_NO_ACCESS", "", NextStop, "a transaction security policy forbids this read; ask the administrator to exempt this user (Setup > Transaction Security Policies)"},
	{0, "INSUFFICIENT_ACCESS", "", NextStop, "this user lacks a right for it; reading limits and Setup data needs View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)"},
	{0, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", NextStop, "the user's password has expired; log in as the user in a browser once and set a new one"},
	{0, "UNABLE_TO_LOCK_ROW", "", NextRetry, "the record is locked by another transaction; this passes when that ends"},

	// Queries
	{0, "QUERY_TIMEOUT", "", NextNarrow, hintNarrow},
	{0, "REQUEST_RUNNING_TOO_LONG", "", NextNarrow, hintNarrow},
	{0, "QUERY_TOO_COMPLICATED", "", NextNarrow, "the formulas among the fields make the query too complicated; ask for fewer of them"},
	{0, "EXCEEDED_ID_LIMIT", "", NextNarrow, "more than 600,000 records changed in the window; ask for a smaller one"},
	{0, "INVALID_REPLICATION_DATE", "", NextFullRead, "the list of changes does not reach back so far; all ids are compared instead"},
	{0, "INVALID_QUERY_LOCATOR", "", NextRestartQuery, "the query's cursor has expired; it is run again from its start"},
	{0, "INVALID_FIELD", "", NextDescribe, hintField},
	{0, "", "No such column", NextDescribe, hintField},
	{0, "INVALID_TYPE_FOR_OPERATION", "", NextStop, "the object cannot be queried at all; leave it out of the configuration"},
	{0, "INVALID_TYPE", "PlatformEventChannelMember", NextStop, "the selection of Change Data Capture is not visible to this user; give View Setup and Configuration (Setup > Permission Sets > the set > System Permissions)"},
	{0, "INVALID_TYPE", "ContentNote", NextStop, "enhanced notes are off in this org; switch them on (Setup > Notes Settings) or leave ContentNote out of notes.objects"},
	{0, "INVALID_TYPE", "", NextStop, hintObject},
	{0, "MALFORMED_QUERY", "", NextStop, "the query is not SOQL; correct the condition, if it is yours, or report this line"},
	{0, "NUMBER_OUTSIDE_VALID_RANGE", "", NextStop, "a number in the query is out of range (OFFSET ends at 2000); correct the condition, if it is yours, or report this line"},
	{0, "MALFORMED_ID", "", NextStop, "an id is not one of this object's; ids have 15 or 18 characters and their case matters"},

	// Things that are not there
	{0, "ENTITY_IS_DELETED", "", NextGone, "the record is deleted"},
	{404, "NOT_FOUND", "external ID field", NextDescribe, hintField},
	{404, "", "an HTML page", NextStop, "there is no org's API at this address; correct login_url or instance_url (Setup > My Domain shows the name), and check any proxy on the way"},
	{404, "", "", NextGone, "it does not exist, or this user may not see it; if it should, give Read on the object (Setup > Permission Sets > the set > Object Settings)"},

	// Addresses
	{300, "", "", NextStop, "several records share this external id; use the record id"},
	{304, "", "", NextStop, "a proxy on the way keeps answers of its own; let the program reach the host directly"},
	{405, "", "", NextStop, hintReport},
	{412, "", "", NextStop, hintReport},
	{414, "", "", NextNarrow, hintUnfit},
	{415, "", "", NextStop, hintReport},
	{420, "", "", NextStop, "Salesforce does not know this host; correct login_url or instance_url (Setup > My Domain shows the name)"},
	{428, "", "", NextStop, hintReport},
	{429, "", "", NextRetry, "too many calls at once; this passes by itself"},
	{431, "", "", NextNarrow, hintUnfit},

	// Salesforce itself
	{500, "UNKNOWN_EXCEPTION", "", NextRetry, "Salesforce failed inside; this mostly passes, and else its support wants the ErrorId above"},
	{502, "", "", NextRetry, "Salesforce's edge did not reach the org's instance (status.salesforce.com); this passes by itself"},
	{503, "", "", NextRetry, "Salesforce is overloaded or in maintenance (status.salesforce.com); this passes by itself"},
}
