package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"crosswalk/internal/approval"
	"crosswalk/internal/broker"
	"crosswalk/internal/config"
	"crosswalk/internal/console"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// platform is the Kafka and the schema registry that the components work on: real ones, the embedded ones of this
// process, or the embedded ones of the process that runs on the same data_dir.
type platform struct {
	kafka     *topic.Client
	registry  *registry.Client
	endpoints Endpoints

	broker       *broker.Broker   // nil unless embedded in this process
	schemaServer *registry.Server // nil unless embedded in this process
	desk         *approval.Desk   // takes approvals in the console; nil when this process serves none
	served       chan struct{}    // closed when the console has stopped
	closers      []func()
}

// open connects to the configured Kafka and registry, or starts the embedded ones. A command that only asks (owner is
// false) uses the embedded parts of a process that runs already.
func (a *App) open(ctx context.Context, owner bool) (_ *platform, err error) {
	p := &platform{endpoints: Endpoints{PID: os.Getpid()}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if len(a.cfg.Kafka.Brokers) > 0 {
		p.endpoints.Kafka = strings.Join(a.cfg.Kafka.Brokers, ",")
		p.endpoints.Registry = a.cfg.SchemaRegistry.URL
		return p, a.dial(ctx, p)
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w; set data_dir to a folder that can be written", err)
	}
	p.endpoints.Embedded = true
	running, ok, err := readEndpoints(a.cfg.DataDir)
	if err != nil {
		return nil, err
	}
	if ok && running.Embedded && answers(running.Kafka) {
		if owner {
			return nil, fmt.Errorf("another crosswalk process (pid %d) runs on data_dir %s; stop it, or set another data_dir", running.PID, a.cfg.DataDir)
		}
		p.endpoints = running
		return p, a.dial(ctx, p)
	}
	return p, a.embed(ctx, p)
}

// embed starts the broker and the registry in this process.
func (a *App) embed(ctx context.Context, p *platform) error {
	b, err := broker.Start(broker.Config{
		DataDir: filepath.Join(a.cfg.DataDir, "kafka"), Listen: a.cfg.Kafka.Listen, KeepPort: true,
		Partitions: a.cfg.Kafka.Partitions, Logger: a.log,
	})
	if err != nil {
		return err
	}
	p.broker = b
	p.closers = append(p.closers, func() {
		if err := b.Close(); err != nil {
			a.log.Error("close embedded broker", "error", err)
		}
	})
	p.endpoints.Kafka = b.Addr()
	if a.cfg.SchemaRegistry.URL != "" {
		p.endpoints.Registry = a.cfg.SchemaRegistry.URL
		return a.dial(ctx, p)
	}
	if err := a.connect(ctx, p); err != nil {
		return err
	}
	log, err := openSchemaLog(ctx, p.kafka)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, log.close)
	if p.schemaServer, err = registry.NewServer(ctx, log); err != nil {
		return err
	}
	return nil
}

// dial connects to Kafka and registry as clients.
func (a *App) dial(ctx context.Context, p *platform) error {
	if err := a.connect(ctx, p); err != nil {
		return err
	}
	opts := []registry.Option{registry.WithMetrics(a.parts.registry)}
	if r := a.cfg.SchemaRegistry; r.Username != "" {
		opts = append(opts, registry.WithBasicAuth(r.Username, r.Password))
	}
	p.registry = registry.NewClient(p.endpoints.Registry, opts...)
	return p.registry.Check(ctx)
}

// serve answers on the console's address from now on until close. The embedded registry is served there even when the
// console itself was not asked for, because whoever reads the topics needs it.
func (p *platform) serve(a *App, wanted bool) error {
	if !wanted && p.schemaServer == nil {
		return nil
	}
	if err := p.listen(a, a.cfg.Console.Listen); err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data_dir: %w; set data_dir to a folder that can be written", err)
	}
	p.closers = append(p.closers, func() { dropEndpoints(a.cfg.DataDir) })
	return writeEndpoints(a.cfg.DataDir, p.endpoints)
}

// listen serves the console and the embedded registry on an address, in the background, until close.
func (p *platform) listen(a *App, address string) error {
	p.desk = approval.NewDesk()
	cfg := console.Config{Listen: address, Gatherer: a.metrics, Status: func() any { return a.status(p) }, First: p.desk.First, Logger: a.log}
	if p.schemaServer != nil {
		cfg.Registry = http.Handler(p.schemaServer)
	}
	server, err := console.Listen(cfg)
	if err != nil {
		return err
	}
	p.endpoints.Console = server.URL()
	if a.callback, err = consoleCallback(server.URL()); err != nil {
		return err
	}
	if p.schemaServer != nil {
		p.endpoints.Registry = server.URL()
		p.registry = registry.NewClient(server.URL(), registry.WithMetrics(a.parts.registry))
	}
	ctx, stop := context.WithCancel(context.Background())
	p.closers = append(p.closers, func() { stop(); <-p.served })
	p.served = make(chan struct{})
	go func() { // from here on the status may be asked for, which tells the endpoints
		defer close(p.served)
		if err := server.Run(ctx); err != nil {
			a.log.Error("the console stopped", "error", err)
		}
	}()
	return nil
}

// close ends everything in the reverse order of its making.
func (p *platform) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
}

// connect makes the Kafka client.
func (a *App) connect(ctx context.Context, p *platform) error {
	k := a.cfg.Kafka
	cfg := topic.Config{
		Brokers: strings.Split(p.endpoints.Kafka, ","), ClientID: k.ClientID, Logger: a.log, Metrics: a.parts.topic,
		SASL: topic.SASL{Mechanism: k.SASL.Mechanism, User: k.SASL.Username, Password: k.SASL.Password},
	}
	var err error
	if cfg.TLS, err = tlsConfig(k.TLS); err != nil {
		return err
	}
	client, err := topic.Dial(ctx, cfg)
	if err != nil {
		return err
	}
	p.kafka = client
	p.closers = append(p.closers, func() {
		if err := client.Close(); err != nil {
			a.log.Debug("close Kafka client", "error", err)
		}
	})
	return nil
}

// tlsConfig reads the certificates that the configuration names; nil means plain text.
func tlsConfig(c config.TLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	out := &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka.tls.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read kafka.tls.ca_file %s: it holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka.tls.cert_file and key_file: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// answers reports whether something listens at the first address.
func answers(addresses string) bool {
	first, _, _ := strings.Cut(addresses, ",")
	conn, err := net.DialTimeout("tcp", first, time.Second)
	if err != nil {
		return false
	}
	return errors.Join(conn.Close()) == nil
}
