package app

// Where things are in Salesforce Setup, for External Client Apps and for classic connected apps.
const (
	clickScopes = "External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings > OAuth Scopes; " +
		"connected app: Setup > App Manager > the app > Edit > Selected OAuth Scopes"
	clickPolicies = "External Client App: Setup > External Client App Manager > the app > Policies; " +
		"connected app: Setup > App Manager > the app > Manage > Edit Policies"
	clickPermission = "Setup > Permission Sets > the integration user's set"
)
