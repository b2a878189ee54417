// Package console serves what a person or a scraper asks a running process: /metrics for Prometheus, /api/status as
// JSON, /healthz, the embedded schema registry's REST API when there is one, and a page that says first, for people, what
// is matched and how fresh it is, and shows the whole status below. For an org whose login a person approves it has the button that
// begins an attempt; who takes it stands first (Config.First).
//
// The console holds no data of its own: each answer is asked for from the process when a request comes.
package console

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

//go:embed page.html
var page []byte

// Config says what the console serves.
type Config struct {
	Listen   string              // host:port; port 0 takes a free one
	Gatherer prometheus.Gatherer // for /metrics
	Status   func() any          // for /api/status, marshalled as JSON; must be safe to call at any time
	Registry http.Handler        // the embedded schema registry; nil when a real one is used
	// First is asked before all others and hands on what is not its own; nil: nobody.
	First  func(next http.Handler) http.Handler
	Logger *slog.Logger
}

// Server is a bound console. Nothing is answered before Run.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// registryPaths are the roots of Confluent's REST API.
var registryPaths = []string{"/subjects", "/subjects/", "/schemas/", "/config", "/config/", "/compatibility/", "/mode", "/mode/"}

// Listen binds cfg.Listen; port 0 takes a free one. The error is one sentence for the operator when the address is taken.
func Listen(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the console on %s: %w; set console.listen to a free address", cfg.Listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError)}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(cfg.Status()); err != nil {
			cfg.Logger.Debug("write status", "error", err)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// No form-action: browsers hold each hop of a redirect to it, and where a login leads is Salesforce's, or the company's, to say.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if _, err := w.Write(page); err != nil {
			cfg.Logger.Debug("write page", "error", err)
		}
	})
	if cfg.Registry != nil {
		for _, path := range registryPaths {
			mux.Handle(path, cfg.Registry)
		}
	}
	var handler http.Handler = mux
	if cfg.First != nil {
		handler = cfg.First(mux)
	}
	return &Server{listener: l, http: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}}, nil
}

// URL is where the console answers, without a slash at its end: http://127.0.0.1:8080.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Run serves until ctx ends; requests under way may finish within two seconds.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			_ = s.http.Close()
		}
	})
	err := s.http.Serve(s.listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the console: %w", err)
}
