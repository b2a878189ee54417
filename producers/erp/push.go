package erp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"crosswalk/internal/config"
)

// push takes customers by HTTP:
//
//	PUT    /erp/<source>/customers/<key>   one customer, a JSON object
//	DELETE /erp/<source>/customers/<key>
//	POST   /erp/<source>/customers         many: JSON lines, a JSON array, or CSV
//	GET    /healthz
//
// A key is the customer's number, or company/number; what is no plain path in it is escaped. Everything but /healthz needs the
// source's token (Authorization: Bearer …). An answer of 2xx means that all in-sync replicas have what was asked for; the same
// request again changes nothing. 4xx tells what is wrong with the request, 503 with Retry-After that it is to be sent again.
type push struct {
	p       *Producer
	cfg     config.Push
	sources []config.ERPSource
	room    *semaphore.Weighted // bytes of bodies that are read at once
}

const (
	pushTimeout = 30 * time.Second // for publishing what a request brought
	pushBodies  = 4                // so many of the largest bodies are held at once
)

// Run listens and serves until ctx ends; requests under way may finish within five seconds.
func (h *push) Run(ctx context.Context) error {
	listener, err := h.listen(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: h.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(h.p.cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})
	h.p.listening(h.sources, listener.Addr().String())
	err = server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("take ERP customers by HTTP: %w", err)
}

// listen binds the address, with TLS when there is a certificate.
func (h *push) listen(ctx context.Context) (net.Listener, error) {
	var certificates []tls.Certificate
	if h.cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(h.cfg.CertFile, h.cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read erp.push.cert_file and key_file: %w", err)
		}
		certificates = append(certificates, pair)
	}
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", h.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for ERP customers on %s: %w; set erp.push.listen to a free address", h.cfg.Listen, err)
	}
	if certificates != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	return listener, nil
}

// handler routes the requests.
func (h *push) handler() http.Handler {
	h.room = semaphore.NewWeighted(pushBodies * int64(h.cfg.MaxBodyBytes))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	for pattern, serve := range map[string]func(*http.Request, config.ERPSource) answer{
		"PUT /erp/{source}/customers/{key...}":    h.put,
		"DELETE /erp/{source}/customers/{key...}": h.remove,
		"POST /erp/{source}/customers":            h.post,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, serve) })
	}
	return mux
}

// serve lets in whoever has the token, and answers.
func (h *push) serve(w http.ResponseWriter, r *http.Request, do func(*http.Request, config.ERPSource) answer) {
	var a answer
	if source, ok := h.source(r); ok {
		ctx, cancel := context.WithTimeout(r.Context(), pushTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, int64(h.cfg.MaxBodyBytes))
		a = do(r.WithContext(ctx), source)
		h.p.pushed(source.Name, a)
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="crosswalk"`)
		a = refused(http.StatusUnauthorized, "there is no such source, or this is not its token; send Authorization: Bearer TOKEN with the token of orgs[].erp.sources[].token")
	}
	h.p.cfg.Metrics.requests.WithLabelValues(fmt.Sprintf("%dxx", a.status/100)).Inc()
	a.write(w, h.p.cfg.Logger)
}

// source is the one of the request, when its token was sent. The comparison takes as long for a source that does not exist.
func (h *push) source(r *http.Request) (config.ERPSource, bool) {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(sent)))
	var found config.ERPSource
	ok := false
	for _, s := range h.sources {
		want := sha256.Sum256([]byte(s.Token.Reveal()))
		if same := subtle.ConstantTimeCompare(got[:], want[:]) == 1; same && s.Name == r.PathValue("source") {
			found, ok = s, strings.EqualFold(scheme, "Bearer")
		}
	}
	return found, ok
}

// listening notes where customers can be pushed.
func (p *Producer) listening(sources []config.ERPSource, address string) {
	p.cfg.Logger.Info("ERP customers can be pushed", "org", p.cfg.org(), "address", address)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range sources {
		p.states[s.Name].Address = address
	}
	p.changed()
}

// pushed notes how a request ended, as far as the source is concerned: what a client did wrong is the client's to know.
func (p *Producer) pushed(source string, a answer) {
	switch {
	case a.status < 300:
		p.report(source, a.result, nil)
	case a.status >= 500:
		p.report(source, Result{}, a.err)
	}
}
