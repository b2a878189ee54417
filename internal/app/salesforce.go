package app

import (
	"fmt"
	"os"
	"path/filepath"

	"crosswalk/internal/config"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
)

// client makes the HTTP client of an org from its configuration.
func (a *App) client(org *config.Org) (*sfapi.Client, *sfapi.TokenSource, error) {
	s := org.Salesforce
	auth := sfapi.Auth{
		Flow: sfapi.Flow(s.Auth.Flow), LoginURL: s.LoginURL, ClientID: s.Auth.ClientID, ClientSecret: s.Auth.ClientSecret,
		Username: s.Auth.Username, Password: s.Auth.Password, SecurityToken: s.Auth.SecurityToken,
		RefreshToken: s.Auth.RefreshToken, AllowAnyHost: s.AllowAnyHost,
	}
	if s.Auth.PrivateKeyFile != "" {
		key, err := sfapi.ReadPrivateKey(s.Auth.PrivateKeyFile)
		if err != nil {
			return nil, nil, err
		}
		auth.PrivateKey = key
	}
	store, err := a.tokenStore(org)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: auth, Store: store, Logger: a.log, Metrics: a.orgMetrics(org).sfapi})
	if err != nil {
		return nil, nil, fmt.Errorf("org %q: %w", org.Alias, err)
	}
	client, err := sfapi.New(sfapi.Config{
		Tokens: tokens, InstanceURL: s.InstanceURL, Version: s.APIVersion, AllowAnyHost: s.AllowAnyHost,
		PageRows: s.BulkPageRows, Logger: a.log, Metrics: a.orgMetrics(org).sfapi,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("org %q: %w", org.Alias, err)
	}
	return client, tokens, nil
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
	return sfapi.NewFileStore(filepath.Join(filepath.Dir(dir), "token"), orgName(org), key)
}

// stateDir is where a component of an org keeps its local state.
func (a *App) stateDir(org *config.Org, component string) string {
	return filepath.Join(a.cfg.DataDir, "state", orgName(org), component)
}
