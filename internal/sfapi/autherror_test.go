package sfapi

import (
	"net/http"
	"testing"
)

func TestNoApprovalYet(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	_, err := source(t, webAuth(o), newMemory()).Token(t.Context(), "")
	if err == nil || o.loginCount() != 0 {
		t.Fatalf("got %v after %d requests", err, o.loginCount())
	}
	has(t, err.Error(), "run crosswalk connect and approve it in the browser")
}

func TestMissingRefreshScopeIsSeen(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	tok, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
	if err != nil || tok.HasRefresh() {
		t.Errorf("%v, %v", tok.HasRefresh(), err)
	}
}

func TestForeignAnswersOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status      int
		media, body string
		wants       []string
	}{
		"HTML":          {403, "text/html", "<html><title>Access Denied</title></html>", []string{"an HTML page titled Access Denied", "check login_url, and any proxy"}},
		"empty":         {404, "", "", []string{"HTTP status 404", "check login_url"}},
		"text":          {400, "text/plain", "Missing_OAuth_Token", []string{"Missing_OAuth_Token"}},
		"form, no type": {400, "", "error=invalid_client_id&error_description=client%20identifier%20invalid", []string{"invalid_client_id (client identifier invalid)", "check auth.client_id"}},
	} {
		o := newOrg(t)
		o.token = func(w http.ResponseWriter, _ map[string]string) bool {
			w.Header()["Content-Type"] = []string{c.media}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
			return true
		}
		_, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
		if err == nil || o.loginCount() != 1 {
			t.Fatalf("%s: %v after %d requests", name, err, o.loginCount())
		}
		has(t, err.Error(), c.wants...)
	}
}
