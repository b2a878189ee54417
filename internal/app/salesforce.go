package app

import (
	"context"
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
		key, err := os.ReadFile(s.Auth.PrivateKeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("read private key of org %q: %w; correct orgs[].salesforce.auth.private_key_file", org.Alias, err)
		}
		auth.PrivateKey = secret.String(key)
	}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: auth, Logger: a.log, Metrics: a.parts.sfapi})
	if err != nil {
		return nil, nil, fmt.Errorf("org %q: %w", org.Alias, err)
	}
	client, err := sfapi.New(sfapi.Config{
		Tokens: tokens, InstanceURL: s.InstanceURL, Version: s.APIVersion, AllowAnyHost: s.AllowAnyHost,
		PageRows: s.BulkPageRows, Logger: a.log, Metrics: a.parts.sfapi,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("org %q: %w", org.Alias, err)
	}
	return client, tokens, nil
}

// components makes the components of one org that are named and configured.
func (a *App) components(ctx context.Context, p *platform, org *config.Org, names []string) ([]runner, error) {
	return nil, nil
}

// stateDir is where a component of an org keeps its local state.
func (a *App) stateDir(org *config.Org, component string) string {
	return filepath.Join(a.cfg.DataDir, "state", orgName(org), component)
}
