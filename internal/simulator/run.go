package simulator

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// loopback is where a simulator listens that is told nothing else.
const loopback = "127.0.0.1:0"

// shutdownTime bounds how long Run waits for requests that are still being answered.
const shutdownTime = 2 * time.Second

// endpoint is one listening address.
type endpoint struct {
	listener net.Listener
	handler  http.Handler
	secure   bool
}

func (e endpoint) url() string {
	if e.secure {
		return "https://" + e.listener.Addr().String()
	}
	return "http://" + e.listener.Addr().String()
}

// Run listens and serves until ctx ends, and returns nil then.
func (s *Simulator) Run(ctx context.Context) error {
	ends, err := s.listen()
	if err != nil {
		return err
	}
	ready := s.describe(ends)
	if s.config.KeyDir != "" {
		if ready.JWTKeyFile, err = s.writeKey(); err != nil {
			closeAll(ends)
			return err
		}
		defer os.Remove(ready.JWTKeyFile)
	}
	failed := make(chan error, len(ends))
	var servers []*http.Server
	for _, e := range ends {
		srv := &http.Server{Handler: e.handler, ReadHeaderTimeout: 30 * time.Second, MaxHeaderBytes: 64 << 10}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(e.listener) }()
	}
	s.info.Store(&ready)
	s.once.Do(func() { close(s.ready) })
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopped, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(stopped) != nil {
			_ = srv.Close() // a held connect does not end by itself
		}
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve simulated org: %w", err)
	}
	return nil
}

// writeKey writes the private key to a file that is this simulator's alone.
func (s *Simulator) writeKey() (name string, err error) {
	f, err := os.CreateTemp(s.config.KeyDir, "simulator-jwt-key-*.pem") // only its owner may read it
	if err == nil {
		_, err = f.Write(s.keys.PEM())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", fmt.Errorf("write key of the JWT bearer flow: %w", err)
	}
	return f.Name(), nil
}

// listen opens the addresses: the org, its control, and the login host when it has one of its own.
func (s *Simulator) listen() (ends []endpoint, err error) {
	addresses := []string{s.config.Listen, s.config.Control}
	handlers := []http.Handler{s.Handler(), s.Control()}
	if s.config.Login != "" {
		addresses = append(addresses, s.config.Login)
		handlers = append(handlers, http.HandlerFunc(s.serveLogin))
	}
	var certificate tls.Certificate
	if s.config.TLS {
		if certificate, err = selfSigned(s.now()); err != nil {
			return nil, err
		}
	}
	for i, address := range addresses {
		l, err := net.Listen("tcp", cmp.Or(address, loopback))
		if err != nil {
			closeAll(ends)
			return nil, fmt.Errorf("listen for the simulated org at %s: %w; choose another address or stop what listens there", cmp.Or(address, loopback), err)
		}
		e := endpoint{listener: l, handler: handlers[i], secure: s.config.TLS && i != 1}
		if e.secure {
			e.listener = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		}
		ends = append(ends, e)
	}
	return ends, nil
}

func closeAll(ends []endpoint) {
	for _, e := range ends {
		_ = e.listener.Close()
	}
}

// describe fills in Ready.
func (s *Simulator) describe(ends []endpoint) Ready {
	login := ends[0].url()
	if len(ends) > 2 {
		login = ends[2].url()
	}
	r := s.Credentials()
	r.InstanceURL = cmp.Or(s.config.InstanceURL, ends[0].url())
	r.LoginURL = cmp.Or(s.config.LoginURL, login)
	r.ControlURL = ends[1].url()
	return r
}

// Credentials is Ready without addresses and key file, for a simulator whose handlers are mounted elsewhere.
func (s *Simulator) Credentials() Ready {
	app := s.app.Load()
	return Ready{
		ClientID: app.ClientID, ClientSecret: app.ClientSecret, Username: s.config.Org.Username,
		Password: s.config.Password + s.config.SecurityToken, RefreshToken: s.tokens.first,
	}
}

// selfSigned makes a certificate for this machine's loopback addresses.
func selfSigned(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "simulated org"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
