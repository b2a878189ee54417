package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"crosswalk/internal/config"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// approvalTime is how long a person may take: as long as Salesforce keeps an approval code (facts 1.2).
const approvalTime = 15 * time.Minute

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
	login, err := tokens.NewLogin()
	if err != nil {
		return sfapi.Token{}, err
	}
	limit := opts.Timeout
	if limit <= 0 {
		limit = approvalTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNobody)
	defer cancel()
	t := &attempt{tokens: tokens, login: login, over: make(chan struct{})}
	waiting := ""
	if where.listener != nil {
		waiting = where.redirect
		server := &http.Server{Handler: t.page(ctx, where.path), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
		go func() { _ = server.Serve(where.listener) }() // ends by Shutdown
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if server.Shutdown(ctx) != nil { // waits until the browser has its page
				_ = server.Close()
			}
		}()
	}
	opts.Approve(login.URL, waiting)
	if opts.Pasted != nil {
		go t.read(ctx, opts.Pasted, opts.Again, where.listener != nil)
	}
	select {
	case <-t.over:
		return t.token, t.err
	case <-ctx.Done():
		return sfapi.Token{}, context.Cause(ctx)
	}
}

// callback is where the browser is sent after the approval.
type callback struct {
	redirect string       // as registered with the app
	path     string       // of the redirect
	listener net.Listener // nil when the callback is not this machine's: the answer is pasted then
}

// defaultCallback is used when neither the configuration nor a flag names one.
const defaultCallback = "localhost:8400"

// openCallback listens at the redirect URL's address when that is a loopback one, or at listen when that is given (a proxy
// or a container's published port may stand between). Without a redirect URL it is http://localhost:PORT/callback.
func openCallback(ctx context.Context, redirect, listen string) (*callback, error) {
	if redirect == "" && listen == "" {
		listen = defaultCallback
	}
	where := &callback{redirect: redirect, path: "/callback"}
	if redirect != "" {
		host, path, err := callbackAddress(redirect)
		if err != nil {
			return nil, err
		}
		where.path = path
		if listen == "" {
			listen = host
		}
	}
	if listen == "" {
		return where, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("wait for the callback at %s: %w; stop what listens there, or register another callback with the app and set it as orgs[].salesforce.auth.redirect_url", listen, err)
	}
	where.listener = l
	if redirect == "" {
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		where.redirect = "http://localhost:" + port + where.path
	}
	return where, nil
}

func (c *callback) close() {
	if c.listener != nil {
		_ = c.listener.Close() // closed already when it was served
	}
}
