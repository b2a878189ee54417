package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"crosswalk/internal/approval"
)

// maxPasted bounds a pasted line; an address with a code has some hundred bytes.
const maxPasted = 64 << 10

// readAnswers takes pasted lines until one is final. When they end and nothing else can bring an answer, the attempt has failed.
func readAnswers(ctx context.Context, attempt *approval.Attempt, pasted io.Reader, again func(error), listening bool) {
	lines := bufio.NewScanner(pasted)
	lines.Buffer(nil, maxPasted)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		final, err := attempt.Take(ctx, line)
		if final {
			return
		}
		if again != nil {
			again(err)
		}
	}
	if !listening {
		attempt.Fail(errors.New("the input ended before an answer was pasted; run crosswalk connect again and paste the address that the browser was sent to"))
	}
}

// callback is where the browser is sent after the approval that crosswalk connect asks for.
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
	where := &callback{redirect: redirect, path: callbackPath}
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
		return nil, fmt.Errorf("wait for the callback at %s: %w; when it is the console of a running Crosswalk that listens there, click Connect in it, else stop what does, or register another callback with the app and set it as orgs[].salesforce.auth.redirect_url", listen, err)
	}
	where.listener = l
	if redirect == "" {
		if where.redirect, err = localCallback(l.Addr().String()); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return where, nil
}

func (c *callback) close() {
	if c.listener != nil {
		_ = c.listener.Close() // closed already when it was served
	}
}

// callbackPath is that of a callback that nobody has configured.
const callbackPath = "/callback"

// localCallback is the callback of this machine at the port of a listener: Salesforce lets an app register http for localhost alone.
func localCallback(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("find the callback's port: %w", err)
	}
	return "http://localhost:" + port + callbackPath, nil
}

// callbackAddress returns where to listen for a redirect URL, empty when it is not this machine's, and its path.
func callbackAddress(redirect string) (listen, path string, err error) {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" {
		return "", "", fmt.Errorf("orgs[].salesforce.auth.redirect_url is no address: write a callback of the app, such as http://%s%s", defaultCallback, callbackPath)
	}
	path = u.Path
	if path == "" {
		path = "/"
	}
	if u.Scheme != "http" || !approval.Loopback(u.Hostname()) {
		return "", path, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), path, nil
}
