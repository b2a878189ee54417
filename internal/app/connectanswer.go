package app

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"crosswalk/internal/sfapi"
)

// attempt is one approval under way. The answers that may end it come from the browser and from the keyboard at once.
type attempt struct {
	tokens *sfapi.TokenSource
	login  *sfapi.Login
	over   chan struct{} // closed when token and err stand

	mu    sync.Mutex // held while an answer is judged, the exchange included: a code is redeemed once
	token sfapi.Token
	err   error
}

// take judges one answer: a callback's query, an address, or a code. final is false when it is none that belongs to this
// attempt; then the attempt goes on. After the final answer every other gets the same result.
func (t *attempt) take(ctx context.Context, answer string) (final bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.over:
		return true, t.err
	default:
	}
	code, err := t.login.Code(answer)
	var refused *sfapi.AuthError
	switch {
	case err == nil:
		t.token, err = t.tokens.Exchange(ctx, t.login, code)
	case !errors.As(err, &refused):
		return false, err
	}
	t.err = err
	close(t.over)
	return true, err
}

// fail ends the attempt without an answer.
func (t *attempt) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.over:
	default:
		t.err = err
		close(t.over)
	}
}

// maxPasted bounds a pasted line; an address with a code has some hundred bytes.
const maxPasted = 64 << 10

// read takes pasted lines until one is final. When they end and nothing else can bring an answer, the attempt has failed.
func (t *attempt) read(ctx context.Context, pasted io.Reader, again func(error), listening bool) {
	lines := bufio.NewScanner(pasted)
	lines.Buffer(nil, maxPasted)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		final, err := t.take(ctx, line)
		if final {
			return
		}
		if again != nil {
			again(err)
		}
	}
	if !listening {
		t.fail(errors.New("the input ended before an answer was pasted; run crosswalk connect again and paste the address that the browser was sent to"))
	}
}

// answerPage is what the browser shows at the end. Nothing in it is loaded from anywhere, and what Salesforce said is text.
var answerPage = template.Must(template.New("answer").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}} – Crosswalk</title></head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p></body>
</html>
`))

// page serves the callback. It answers when the attempt is decided, so that the browser shows what became of it.
func (t *attempt) page(ctx context.Context, path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			show(w, http.StatusNotFound, "Nothing here", "The approval of Salesforce comes back to another address.")
			return
		case r.Method != http.MethodGet:
			show(w, http.StatusMethodNotAllowed, "Nothing here", "This address takes the approval of Salesforce from a browser only.")
			return
		}
		if foreign(r.URL.Query(), t.login.State) {
			show(w, http.StatusBadRequest, "Not connected", "This answer belongs to another attempt. Use the address that the running crosswalk connect printed.")
			return
		}
		final, err := t.take(ctx, "?"+r.URL.RawQuery)
		switch {
		case err == nil:
			show(w, http.StatusOK, "Connected", "Crosswalk may now read this org. You can close this page.")
		case final:
			show(w, http.StatusBadRequest, "Not connected", err.Error())
		default:
			show(w, http.StatusBadRequest, "Not connected yet", err.Error())
		}
	})
}

// foreign reports a refusal that names another attempt: any page in the browser could send one to end this attempt.
func foreign(q url.Values, state string) bool {
	return q.Has("error") && q.Has("state") && subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1
}

func show(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = answerPage.Execute(w, struct{ Title, Text string }{title, text}) // the browser may be gone
}

// callbackAddress returns where to listen for a redirect URL, empty when it is not this machine's, and its path.
func callbackAddress(redirect string) (listen, path string, err error) {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" {
		return "", "", fmt.Errorf("orgs[].salesforce.auth.redirect_url is no address: write a callback of the app, such as http://%s/callback", defaultCallback)
	}
	path = u.Path
	if path == "" {
		path = "/"
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", path, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), path, nil
}
