package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"crosswalk/internal/approval"
	"crosswalk/internal/config"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// ConnectOptions say how a person is led through the approval.
type ConnectOptions struct {
	Org     string                        // alias, needed only with several
	Listen  string                        // where the callback is awaited; default: the redirect URL's own address
	Pasted  io.Reader                     // lines that a person pastes: the address the browser was sent to, or the code; nil: none
	Approve func(address, waiting string) // told where to approve, and where the callback is awaited ("" when nowhere)
	Again   func(error)                   // told why a pasted line is no answer; may be nil
	Timeout time.Duration                 // default 15 minutes
}

// Connection is what a login brought. It holds no secret.
type Connection struct {
	Org         string   `json:"org"`
	Flow        string   `json:"flow"`
	LoginURL    string   `json:"login_url"`
	InstanceURL string   `json:"instance_url"`
	OrgID       string   `json:"org_id"`
	UserID      string   `json:"user_id"`
	Username    string   `json:"username,omitempty"`
	Name        string   `json:"name,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	TokenFile   string   `json:"token_file,omitempty"` // where the tokens lie, encrypted; web_server only
	Warnings    []string `json:"warnings,omitempty"`
}

// Connect logs in to an org. For the web server flow a person approves in a browser (facts 1.2), and the tokens are stored
// durably before they are used; for other flows a token is obtained once, to see that it can be. A refusal is one sentence
// that says where to click.
func (a *App) Connect(ctx context.Context, opts ConnectOptions) (Connection, error) {
	org, err := a.org(opts.Org)
	if err != nil {
		return Connection{}, err
	}
	auth, err := a.auth(org)
	if err != nil {
		return Connection{}, err
	}
	if auth.Flow == "" {
		return Connection{}, UsageError{fmt.Errorf("org %q has no login: set orgs[].salesforce.auth.flow to web_server, jwt, client_credentials or password", orgName(org))}
	}
	var where *callback
	if auth.Flow == sfapi.WebServer {
		if where, err = openCallback(ctx, auth.RedirectURL, opts.Listen); err != nil {
			return Connection{}, err
		}
		defer where.close()
		auth.RedirectURL = where.redirect
	}
	tokens, err := a.tokens(org, auth, retry.Backoff{})
	if err != nil {
		return Connection{}, err
	}
	var token sfapi.Token
	if where != nil {
		token, err = approve(ctx, tokens, where, opts)
	} else {
		token, err = tokens.Token(ctx, "")
	}
	if err != nil {
		return Connection{}, err
	}
	return a.connection(ctx, org, auth, tokens, token)
}

// connection says who was logged in, and what is worth knowing about it.
func (a *App) connection(ctx context.Context, org *config.Org, auth sfapi.Auth, tokens *sfapi.TokenSource, token sfapi.Token) (Connection, error) {
	c := Connection{
		Org: orgName(org), Flow: string(auth.Flow), LoginURL: auth.LoginURL, InstanceURL: token.InstanceURL,
		OrgID: token.OrgID(), UserID: token.UserID(), Scopes: strings.Fields(token.Scope),
	}
	if auth.Flow == sfapi.WebServer {
		c.TokenFile = a.tokenFile(org)
		if !token.HasRefresh() {
			c.Warnings = append(c.Warnings, noRefresh)
		}
	}
	auth.AllowAnyHost = false // who asks here wants to know, whatever the host
	if w := auth.Warning(); w != "" {
		c.Warnings = append(c.Warnings, w)
	}
	client, err := a.api(org, tokens, retry.Backoff{Attempts: 2})
	if err != nil {
		return c, err
	}
	who, err := client.Identity(ctx)
	if err != nil {
		c.Warnings = append(c.Warnings, "the login works, but whom it is for could not be asked: "+err.Error())
		return c, nil
	}
	c.OrgID, c.UserID, c.Username, c.Name = who.OrgID, who.UserID, who.Username, who.Name
	return c, nil
}

// noRefresh is what a person reads when Salesforce granted no refresh token (facts 8).
const noRefresh = "Salesforce granted no refresh token, so the login ends with its session, after about two hours: add the scope refresh_token (" +
	clickScopes + ") and run crosswalk connect again"

// errNobody says that nobody answered.
var errNobody = errors.New("nobody approved in time; run crosswalk connect again and approve in the browser, or paste the address that the browser was sent to")

// approve leads through one attempt: the first answer that belongs to it decides, whether it came to the callback or was
// pasted.
func approve(ctx context.Context, tokens *sfapi.TokenSource, where *callback, opts ConnectOptions) (sfapi.Token, error) {
	attempt, err := approval.New(tokens)
	if err != nil {
		return sfapi.Token{}, err
	}
	limit := opts.Timeout
	if limit <= 0 {
		limit = approval.Life
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNobody)
	defer cancel()
	waiting := ""
	if where.listener != nil {
		waiting = where.redirect
		server := &http.Server{Handler: attempt.Page(ctx, where.path), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
		go func() { _ = server.Serve(where.listener) }() // ends by Shutdown
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if server.Shutdown(ctx) != nil { // waits until the browser has its page
				_ = server.Close()
			}
		}()
	}
	opts.Approve(attempt.URL(), waiting)
	if opts.Pasted != nil {
		go readAnswers(ctx, attempt, opts.Pasted, opts.Again, where.listener != nil)
	}
	select {
	case <-attempt.Over():
		return attempt.Result()
	case <-ctx.Done():
		return sfapi.Token{}, context.Cause(ctx)
	}
}
