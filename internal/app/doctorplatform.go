package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
)

// ground is what all orgs stand on: Kafka and the schema registry. They are opened when first asked for.
type ground struct {
	app      *App
	opened   bool
	platform *platform // nil while Kafka cannot be reached
	kafka    error
	registry error
}

func (g *ground) steps() []step {
	return []step{
		{"kafka", "Kafka", g.lookKafka, true},
		{"registry", "Schema registry", g.lookRegistry, true},
	}
}

func (g *ground) close() {
	if g.platform != nil {
		g.platform.close()
	}
}

// open reaches Kafka and the registry apart from each other, so that one that is down does not hide the other.
func (g *ground) open(ctx context.Context) {
	if g.opened {
		return
	}
	g.opened = true
	ctx = context.WithoutCancel(ctx) // the connections outlive the step that asked first; each has its own limit
	cfg := g.app.cfg
	if len(cfg.Kafka.Brokers) == 0 {
		g.platform, g.kafka = g.app.asking(ctx)
		return
	}
	p := &platform{endpoints: Endpoints{PID: os.Getpid(), Kafka: strings.Join(cfg.Kafka.Brokers, ","), Registry: cfg.SchemaRegistry.URL}}
	if g.kafka = g.app.connect(ctx, p); g.kafka == nil {
		g.platform = p
	}
	options := []registry.Option{registry.WithMetrics(g.app.parts.registry), registry.WithBackoff(patience)}
	if r := cfg.SchemaRegistry; r.Username != "" {
		options = append(options, registry.WithBasicAuth(r.Username, r.Password))
	}
	p.registry = registry.NewClient(cfg.SchemaRegistry.URL, options...)
	g.registry = p.registry.Check(ctx)
}

func (g *ground) lookKafka(ctx context.Context) result {
	g.open(ctx)
	switch {
	case g.kafka != nil:
		return wrong("check kafka.brokers, kafka.tls and kafka.sasl, and that the broker runs and can be reached from here; without brokers: data_dir and its free space", "%s", g.kafka.Error())
	case g.platform.endpoints.Embedded:
		return good("the embedded one answers at %s", g.platform.endpoints.Kafka)
	}
	return good("a broker answers at %s", g.platform.endpoints.Kafka)
}

func (g *ground) lookRegistry(ctx context.Context) result {
	g.open(ctx)
	switch {
	case g.registry != nil:
		return wrong("check schema_registry.url, username and password, and that the registry runs and can be reached from here", "%s", g.registry.Error())
	case g.platform == nil && len(g.app.cfg.Kafka.Brokers) == 0:
		return unchecked("the embedded one needs the embedded Kafka")
	case g.platform != nil && g.platform.endpoints.Embedded && g.app.cfg.SchemaRegistry.URL == "":
		return good("the embedded one answers at %s", g.platform.endpoints.Registry)
	}
	return good("it answers at %s", registryName(g.app.cfg.SchemaRegistry))
}

// registryName is the registry's address without a user and password.
func registryName(r config.SchemaRegistry) string {
	address := r.URL
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		scheme, _, _ := strings.Cut(address, "://")
		address = scheme + "://" + address[i+1:]
	}
	return address
}

// errFound ends the reading at the first record.
var errFound = errors.New("found")

// erp looks whether there are customers to match with: the ERP comes first, else nothing can be shown.
func (g *ground) erp(ctx context.Context, org *config.Org) result {
	g.open(ctx)
	names := make([]string, len(org.ERP.Sources))
	for i, s := range org.ERP.Sources {
		names[i] = s.Name
	}
	sources := "source " + strings.Join(names, ", ") + " is configured"
	if len(names) == 0 {
		sources = "no source is configured"
	}
	name := topicName(org, erp.Topic)
	if g.platform == nil {
		if len(names) == 0 {
			return unchecked(sources + ", and " + name + " cannot be looked at without Kafka")
		}
		return good("%s; %s cannot be looked at without Kafka", sources, name)
	}
	found, err := g.holds(ctx, name)
	switch {
	case err != nil:
		return wrong("check that the topic can be read: the Kafka user needs Describe and Read on it", "%s", err.Error())
	case found:
		return good("%s holds customers; %s", name, sources)
	case len(names) > 0:
		return good("%s; %s is still empty", sources, name)
	}
	return wrong(erpFirst, "%s is empty and %s", name, sources)
}

// holds reports whether a topic has a record.
func (g *ground) holds(ctx context.Context, name string) (bool, error) {
	exists, err := g.platform.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return false, err
	}
	_, err = g.platform.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if r.Value != nil {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return false, nil
}
