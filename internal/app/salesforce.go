package app

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"crosswalk/internal/config"
	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
)

// client makes the HTTP client of an org from its configuration. It outlasts an outage of Salesforce's: the task that uses it
// has nothing better to do than to ask again.
func (a *App) client(org *config.Org) (*sfapi.Client, *sfapi.TokenSource, error) {
	auth, err := a.auth(org)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := a.tokens(org, auth, retry.Backoff{})
	if err != nil {
		return nil, nil, err
	}
	client, err := a.api(org, tokens, retry.Backoff{Attempts: sfapi.Outlast})
	return client, tokens, err
}

// auth is who an org is logged in to as.
func (a *App) auth(org *config.Org) (sfapi.Auth, error) {
	s := org.Salesforce
	auth := sfapi.Auth{
		Flow: sfapi.Flow(s.Auth.Flow), LoginURL: s.LoginURL, ClientID: s.Auth.ClientID, ClientSecret: s.Auth.ClientSecret,
		Username: s.Auth.Username, Password: s.Auth.Password, SecurityToken: s.Auth.SecurityToken,
		RedirectURL: cmp.Or(s.Auth.RedirectURL, a.callback), RefreshToken: s.Auth.RefreshToken, AllowAnyHost: s.AllowAnyHost,
	}
	if s.Auth.PrivateKeyFile != "" {
		key, err := sfapi.ReadPrivateKey(s.Auth.PrivateKeyFile)
		if err != nil {
			return auth, err
		}
		auth.PrivateKey = key
	}
	return auth, nil
}

// tokens makes the one owner of an org's credential; patience is how often what may pass is asked again.
func (a *App) tokens(org *config.Org, auth sfapi.Auth, patience retry.Backoff) (*sfapi.TokenSource, error) {
	store, err := a.tokenStore(org)
	if err != nil {
		return nil, err
	}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{
		Auth: auth, Store: store, Retry: patience, Logger: a.log, Metrics: a.orgMetrics(org).sfapi,
	})
	if err != nil {
		return nil, UsageError{fmt.Errorf("org %q: %w", orgName(org), err)}
	}
	return tokens, nil
}

// api makes the client that calls with these tokens.
func (a *App) api(org *config.Org, tokens *sfapi.TokenSource, patience retry.Backoff) (*sfapi.Client, error) {
	s := org.Salesforce
	client, err := sfapi.New(sfapi.Config{
		Tokens: tokens, InstanceURL: s.InstanceURL, Version: s.APIVersion, AllowAnyHost: s.AllowAnyHost,
		PageRows: s.BulkPageRows, Retry: patience, Logger: a.log, Metrics: a.orgMetrics(org).sfapi,
		Budget: a.orgMetrics(org).budget,
	})
	if err != nil {
		return nil, UsageError{fmt.Errorf("org %q: %w", orgName(org), err)}
	}
	return client, nil
}

// tokenStore keeps the tokens of a web server login between runs; other flows obtain theirs anew.
func (a *App) tokenStore(org *config.Org) (sfapi.TokenStore, error) {
	if sfapi.Flow(org.Salesforce.Auth.Flow) != sfapi.WebServer {
		return nil, nil
	}
	key, err := sfapi.LoadKey(secret.String(os.Getenv(sfapi.KeyVariable)), filepath.Join(a.cfg.DataDir, "secret.key"))
	if err != nil {
		return nil, err
	}
	dir := a.stateDir(org, Salesforce)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for tokens: %w; set data_dir to a folder that can be written", err)
	}
	return sfapi.NewFileStore(a.tokenFile(org), orgName(org), key)
}

// tokenFile is where the tokens of a web server login lie, encrypted.
func (a *App) tokenFile(org *config.Org) string {
	return filepath.Join(filepath.Dir(a.stateDir(org, Salesforce)), "token")
}

// stateDir is where a component of an org keeps its local state.
func (a *App) stateDir(org *config.Org, component string) string {
	return filepath.Join(a.cfg.DataDir, "state", orgName(org), component)
}
