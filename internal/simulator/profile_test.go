package simulator

import (
	"net/http"
	"testing"

	"crosswalk/internal/simulator/org"
)

// Each right can be taken away and then looks as section 8 of the facts says.
func TestMissingRights(t *testing.T) {
	t.Parallel()
	account := query("SELECT Id FROM Account")
	cases := map[string]struct {
		take   func(*Profile)
		app    func(*App)
		path   string
		status int
		want   string
		lacks  string
	}{
		"API Enabled":       {take: func(p *Profile) { p.NoAPI = true }, path: account, status: 403, want: `[{"message":"The REST API is not enabled for this Organization or user type.","errorCode":"API_DISABLED_FOR_ORG"}]`},
		"edition":           {take: func(p *Profile) { p.NoAPIEdition = true }, path: account, status: 403, want: `"The REST API is not enabled for this Organization."`},
		"api scope":         {take: func(p *Profile) { p.NoAPIScope = true }, path: account, status: 401, want: `[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]`},
		"allow list":        {app: func(a *App) { a.NotAllowListed = true }, path: account, status: 401, want: `This session is not valid for use with the REST API`},
		"locked to address": {take: func(p *Profile) { p.LockedToIP = true }, path: account, status: 401, want: `"INVALID_SESSION_ID"`},
		"deactivated":       {take: func(p *Profile) { p.Inactive = true }, path: account, status: 401, want: `Session expired or invalid`},
		"expired password":  {take: func(p *Profile) { p.Expired = true }, path: account, status: 403, want: `INVALID_OPERATION_WITH_EXPIRED_PASSWORD`},
		"Read, query":       {take: func(p *Profile) { p.NoRead = []string{"Account"} }, path: account, status: 400, want: "sObject type 'Account' is not supported."},
		"Read, describe":    {take: func(p *Profile) { p.NoRead = []string{"Account"} }, path: rest + "/sobjects/Account/describe", status: 404, want: `"NOT_FOUND"`},
		"Read, global":      {take: func(p *Profile) { p.NoRead = []string{"Account"} }, path: rest + "/sobjects", status: 200, lacks: `"name":"Account"`},
		"FLS, query":        {take: func(p *Profile) { p.Hidden = []string{"Account.Phone"} }, path: query("SELECT Phone FROM Account"), status: 400, want: `No such column 'Phone' on entity 'Account'.`},
		"FLS, where":        {take: func(p *Profile) { p.Hidden = []string{"Account.Phone"} }, path: query("SELECT Id FROM Account WHERE Phone = '1'"), status: 400, want: `No such column 'Phone' on entity 'Account'.`},
		"FLS, describe":     {take: func(p *Profile) { p.Hidden = []string{"Account.Phone"} }, path: rest + "/sobjects/Account/describe", status: 200, want: `"name":"Fax"`, lacks: `"name":"Phone"`},
		"FLS, record":       {take: func(p *Profile) { p.Hidden = []string{"Account.Phone"} }, path: rest + "/sobjects/Account/" + org.MakeID("001", 1), status: 200, want: `"Fax"`, lacks: `"Phone"`},
		"FLS, compound":     {take: func(p *Profile) { p.Hidden = []string{"Account.BillingAddress"} }, path: rest + "/sobjects/Account/describe", status: 200, want: `"ShippingCity"`, lacks: `"BillingCity"`},
		"View All Records":  {take: func(p *Profile) { p.NoViewAll = []string{"Account"} }, path: account, status: 200, want: `"totalSize":1`},
		"View All Data":     {take: func(p *Profile) { p.NoViewAll = []string{"*"} }, path: account, status: 200, want: `"totalSize":1`},
		"private notes":     {take: func(p *Profile) { p.NoModifyAll = true }, path: query("SELECT Id FROM Note"), status: 200, want: `"totalSize":1`},
		"Query All Files":   {take: func(p *Profile) { p.NoFiles = true }, path: query("SELECT Id FROM ContentDocument"), status: 200, want: `"totalSize":0`},
		"setup":             {take: func(p *Profile) { p.NoSetup = true }, path: rest + "/limits", status: 403, want: `"INSUFFICIENT_ACCESS"`},
		"all rights":        {path: account, status: 200, want: `"totalSize":2`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Config{})
			other := org.MakeID("005", 2)
			id := b.account(org.Fields{"Name": "mine", "Phone": "1"})
			b.account(org.Fields{"Name": "theirs", "OwnerId": other})
			for _, owner := range []string{b.Org().User(), other} {
				if _, err := b.Org().Create("Note", org.Fields{"Title": "n", "ParentId": id, "IsPrivate": true, "OwnerId": owner}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.Org().Create("ContentNote", org.Fields{"Title": "n", "Content": "x", "OwnerId": other}); err != nil {
				t.Fatal(err)
			}
			if c.take != nil {
				b.Permit(c.take)
			}
			if c.app != nil {
				b.ConfigureApp(c.app)
			}
			a := b.send("GET", c.path, "").must(t, c.status).has(t, c.want)
			if c.lacks != "" {
				a.lacks(t, c.lacks)
			}
		})
	}
}

func TestBulkWithoutRead(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Profile: Profile{NoRead: []string{"Contact"}}})
	b.send("POST", jobsPath, `{"operation":"query","query":"SELECT Id FROM Contact"}`).must(t, http.StatusBadRequest).has(t, "INVALID_TYPE")
}

func TestHiddenFieldsAreNoTruth(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Profile: Profile{Hidden: []string{"Account.Phone"}}})
	b.account(org.Fields{"Name": "A", "Phone": "1"})
	b.control("GET", "/org/Account", "").must(t, http.StatusOK).has(t, `"Fax"`).lacks(t, `"Phone"`)
}

func TestTokenWithoutAPIScope(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.exchange(b.approve("scope", "id openid").Get("code")).must(t, http.StatusOK).lacks(t, "refresh_token")
	b.token = a.text(t, "access_token")
	b.send("GET", rest, "").must(t, http.StatusUnauthorized).has(t, "This session is not valid for use with the REST API")
	b.send("GET", "/services/oauth2/userinfo", "").must(t, http.StatusOK)
}
