package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"crosswalk/internal/config"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// simulated makes an App whose one org is simulated: eight accounts, ten contacts. environ is laid over its configuration.
func simulated(t *testing.T, environ ...string) (*App, *simulator.Simulator, simulator.Ready) {
	t.Helper()
	sim, err := simulator.New(simulator.Config{
		Logger: slog.New(slog.DiscardHandler), Org: org.Config{Seed: 1, Accounts: 8, Contacts: 10},
		Settings: simulator.Settings{AutoApprove: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ready := sim.Credentials()
	const s = "CROSSWALK_ORGS_0_SALESFORCE_"
	cfg, err := config.Load("", append([]string{
		"CROSSWALK_DATA_DIR=" + t.TempDir(),
		s + "LOGIN_URL=" + server.URL, s + "ALLOW_ANY_HOST=true", s + "AUTH_CLIENT_ID=" + ready.ClientID,
		s + "AUTH_CLIENT_SECRET=" + ready.ClientSecret, s + "AUTH_FLOW=client_credentials",
	}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	return New(cfg, slog.New(slog.DiscardHandler)), sim, ready
}

// stay is a browser that does not follow redirects.
var stay = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
