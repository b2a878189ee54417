package sfapi

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"crosswalk/internal/secret"
)

// Flow names how a token is obtained: the values of the configuration key auth.flow.
type Flow string

// The flows (facts 1.2, 1.6 to 1.8).
const (
	WebServer         Flow = "web_server"         // a person approves once in a browser; a refresh token keeps it
	JWT               Flow = "jwt"                // a signed assertion, RS256; no refresh token
	ClientCredentials Flow = "client_credentials" // key and secret; My Domain host and a Run-As user
	Password          Flow = "password"           // user, password and security token; Salesforce is retiring it
)

// Auth is who the client is. Secrets in it print as ***.
type Auth struct {
	Flow          Flow
	LoginURL      string        // default https://login.salesforce.com; My Domain for client_credentials and External Client Apps
	ClientID      string        // consumer key
	ClientSecret  secret.String // consumer secret; not used by jwt, optional where the app does not require it
	Username      string        // jwt, password
	Password      secret.String // password
	SecurityToken secret.String // password: appended to the password (facts 1.6); empty from trusted IP ranges
	PrivateKey    secret.String // jwt: PEM of an RSA key, PKCS#1 or PKCS#8
	Audience      string        // jwt: the aud claim; default the login URL
	RedirectURL   string        // web_server: equal to one callback of the app, character for character
	Scopes        []string      // web_server; default api and refresh_token
	RefreshToken  secret.String // web_server: a refresh token obtained elsewhere, used when the store has none
	AllowAnyHost  bool          // accept plain http and hosts that are neither Salesforce's nor this machine
}

// withDefaults fills what was left out and reports every missing or wrong key at once.
func (a Auth) withDefaults() (Auth, error) {
	a.LoginURL = cmp.Or(a.LoginURL, "https://login.salesforce.com")
	var errs []error
	need := func(key string, set bool) {
		if !set {
			errs = append(errs, fmt.Errorf("auth.%s is missing: flow %s needs it", key, a.Flow))
		}
	}
	origin, err := checkHost("login_url", a.LoginURL, configuredTrust(a.AllowAnyHost))
	if err != nil {
		errs = append(errs, err)
	}
	a.LoginURL = origin
	a.Audience = cmp.Or(a.Audience, origin)
	need("client_id", a.ClientID != "")
	switch a.Flow {
	case WebServer:
		if len(a.Scopes) == 0 {
			a.Scopes = []string{"api", "refresh_token"}
		}
	case JWT:
		need("username", a.Username != "")
		need("private_key_file", a.PrivateKey != "")
		if a.PrivateKey != "" {
			errs = append(errs, checkRSAKey(a.PrivateKey))
		}
	case ClientCredentials:
		need("client_secret", a.ClientSecret != "")
		if a.LoginURL == "https://login.salesforce.com" || a.LoginURL == "https://test.salesforce.com" {
			errs = append(errs, fmt.Errorf("login_url %s does not serve flow client_credentials: set it to the org's My Domain (Setup > My Domain)", a.LoginURL))
		}
	case Password:
		need("username", a.Username != "")
		need("password", a.Password != "")
	default:
		errs = append(errs, fmt.Errorf("auth.flow %q is not known: use web_server, jwt, client_credentials or password", a.Flow))
	}
	return a, errors.Join(errs...)
}

// checkRSAKey finds out at start, not at the first login, that a key cannot sign. Its errors hold nothing of the key.
func checkRSAKey(key secret.String) error {
	block, _ := pem.Decode([]byte(key.Reveal()))
	if block == nil {
		return errors.New("auth.private_key_file is not PEM: it must begin with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----")
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return errors.New("auth.private_key_file holds no readable private key: an encrypted key must be decrypted first (openssl rsa -in key.pem -out plain.pem)")
	}
	if _, ok := parsed.(*rsa.PrivateKey); !ok {
		return errors.New("auth.private_key_file is not an RSA key: Salesforce accepts RS256 only (openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem)")
	}
	return nil
}

// Warning says what a person should know about the flow although it works, or nothing.
func (a Auth) Warning() string {
	if a.Flow != Password || a.AllowAnyHost {
		return ""
	}
	return "auth.flow password works, but Salesforce is retiring it and new orgs refuse it: move to web_server (crosswalk connect), jwt or client_credentials"
}

// String says which login it is.
func (a Auth) String() string {
	return fmt.Sprintf("%s login to %s", a.Flow, a.LoginURL)
}
