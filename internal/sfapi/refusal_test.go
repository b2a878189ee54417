package sfapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refusing is a token endpoint that accepts nothing.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.WriteString(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`)
	return w.Result(), nil
}

// TestRefusalIsKnownWithoutAsking goes through what a login that a person approves may lack.
func TestRefusalIsKnownWithoutAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		s, err := NewTokenSource(TokenConfig{
			Auth:  Auth{Flow: WebServer, ClientID: "3MVG9key", LoginURL: "https://acme.my.salesforce.com"},
			Store: store, HTTP: &http.Client{Transport: refusing{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := func(when, code string) {
			t.Helper()
			refused, err := s.Refusal(t.Context())
			if err != nil || (refused == nil) != (code == "") || refused != nil && (refused.Code != code || !refused.NeedsApproval()) {
				t.Errorf("%s: %v, %v", when, refused, err)
			}
		}
		want("nothing is stored", codeNotConnected)
		store.put(Token{Refresh: "revoked", InstanceURL: "https://acme.my.salesforce.com"})
		want("what is stored was not tried", "")
		if _, err := s.Token(t.Context(), ""); err == nil {
			t.Fatal("logged in")
		}
		want("it was refused", "invalid_grant")
		<-time.After(refusalRest)
		want("a person may have mended it", "")
		if _, err := s.Token(t.Context(), ""); err == nil {
			t.Fatal("logged in")
		}
		want("it was refused again", "invalid_grant")
		store.put(Token{Access: "a", Refresh: "r", InstanceURL: "https://acme.my.salesforce.com"})
		want("another process has stored one", "")
		store.put(Token{Refresh: "r", InstanceURL: "http://evil.example"})
		if _, err := s.Refusal(t.Context()); err == nil {
			t.Error("what the store holds is not checked")
		}
		ended, end := context.WithCancel(t.Context())
		end()
		s.turn <- struct{}{} // a refresh is under way
		if _, err := s.Refusal(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("it waits on: %v", err)
		}
	})
}

// TestApprovalOfAnotherOrgIsRefused: who is logged in to another org in the browser approves there by mistake.
func TestApprovalOfAnotherOrgIsRefused(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	store := newMemory()
	before := Token{Access: "a", Refresh: "r", InstanceURL: o.URL, Identity: "https://login.salesforce.com/id/00DQk000000zzzzMAU/005Qk000001UsErIAK"}
	store.put(before)
	s := source(t, webAuth(o), store)
	login, err := s.NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Exchange(t.Context(), login, "aPrx")
	if err == nil || !strings.Contains(err.Error(), "00DQk000000oRgAMAU") || !strings.Contains(err.Error(), "00DQk000000zzzzMAU") || store.get() != before {
		t.Errorf("%v, stored %v", err, store.get().Identity)
	}
}
