package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// Issues is what needs a person.
type Issues struct {
	Ambiguous []customer.Ambiguous
	Unmatched []customer.Unmatched
	Names     map[string]string // what people call the records, by their key in match.unmatched: account/…, erp/…, contact/…, note/…
}

// Only keeps the issues of one reason; all of them when reason is empty.
func (i Issues) Only(reason string) Issues {
	if reason == "" {
		return i
	}
	i.Ambiguous = slices.DeleteFunc(i.Ambiguous, func(a customer.Ambiguous) bool { return string(a.Reason) != reason })
	i.Unmatched = slices.DeleteFunc(i.Unmatched, func(u customer.Unmatched) bool { return string(u.Reason) != reason })
	return i
}

// org finds the org of an alias; none is needed when there is but one.
func (a *App) org(alias string) (*config.Org, error) {
	if len(a.cfg.Orgs) == 0 && alias == "" {
		return &config.Org{}, nil // topics without a prefix, as the demo makes them
	}
	if alias == "" && len(a.cfg.Orgs) == 1 {
		return &a.cfg.Orgs[0], nil
	}
	var aliases []string
	for i := range a.cfg.Orgs {
		if orgName(&a.cfg.Orgs[i]) == alias && alias != "" {
			return &a.cfg.Orgs[i], nil
		}
		aliases = append(aliases, orgName(&a.cfg.Orgs[i]))
	}
	if len(aliases) == 0 {
		return nil, UsageError{fmt.Errorf("no org with alias %q: the configuration has no orgs; give it with --config, or leave --org out", alias)}
	}
	return nil, UsageError{fmt.Errorf("no org with alias %q; give --org with one of: %s", alias, strings.Join(aliases, ", "))}
}

// topicName is the full name of an org's topic.
func topicName(org *config.Org, name string) string { return topic.Name(org.Alias, name) }

// Views returns the matched customers by key; with a key, that one, or an error that says where else to look.
func (a *App) Views(ctx context.Context, alias, key string) ([]customer.View, error) {
	org, err := a.org(alias)
	if err != nil {
		return nil, err
	}
	p, err := a.asking(ctx)
	if err != nil {
		return nil, err
	}
	defer p.close()
	views, err := p.views(ctx, org)
	if err != nil {
		return nil, err
	}
	if key != "" {
		views = slices.DeleteFunc(views, func(v customer.View) bool { return v.Customer.Key != key })
		if len(views) == 0 {
			return nil, fmt.Errorf("no matched customer has the key %q; 'crosswalk issues' lists what is not matched and why", key)
		}
	}
	return views, nil
}

// Issues returns the ambiguous groups by identifier and the unmatched records, near misses first.
func (a *App) Issues(ctx context.Context, alias string) (Issues, error) {
	org, err := a.org(alias)
	if err != nil {
		return Issues{}, err
	}
	p, err := a.asking(ctx)
	if err != nil {
		return Issues{}, err
	}
	defer p.close()
	found, err := p.issues(ctx, org)
	if err != nil {
		return Issues{}, err
	}
	if found.Names, err = p.names(ctx, org, found.records()); err != nil {
		a.log.Warn("the names of some records cannot be read; only their keys are shown", "org", orgName(org), "error", err)
	}
	return found, nil
}

// asking opens the platform for a command that only reads.
func (a *App) asking(ctx context.Context) (*platform, error) {
	p, err := a.open(ctx, false)
	if err != nil {
		return nil, err
	}
	if p.registry == nil {
		if err := p.listen(a, "127.0.0.1:0"); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *platform) views(ctx context.Context, org *config.Org) ([]customer.View, error) {
	var views []customer.View
	err := p.latest(ctx, topicName(org, "customer.view"), nil, func(_ string, w *avro.Walker, body []byte) error {
		v, err := w.View(body)
		views = append(views, v)
		return err
	})
	slices.SortFunc(views, func(a, b customer.View) int { return cmp.Compare(a.Customer.Key, b.Customer.Key) })
	return views, err
}

func (p *platform) issues(ctx context.Context, org *config.Org) (Issues, error) {
	var found Issues
	err := p.latest(ctx, topicName(org, "match.ambiguous"), nil, func(_ string, w *avro.Walker, body []byte) error {
		v, err := w.Ambiguous(body)
		found.Ambiguous = append(found.Ambiguous, v)
		return err
	})
	if err != nil {
		return found, err
	}
	err = p.latest(ctx, topicName(org, "match.unmatched"), nil, func(_ string, w *avro.Walker, body []byte) error {
		v, err := w.Unmatched(body)
		found.Unmatched = append(found.Unmatched, v)
		return err
	})
	slices.SortFunc(found.Ambiguous, func(a, b customer.Ambiguous) int { return cmp.Compare(a.Identifier, b.Identifier) })
	slices.SortFunc(found.Unmatched, func(a, b customer.Unmatched) int {
		near := func(u customer.Unmatched) int { return min(1, len(u.NearMisses)) }
		return cmp.Or(near(b)-near(a), cmp.Compare(a.Key(), b.Key()))
	})
	return found, err
}

// latest calls fn with the newest value of each live key of a topic that is wanted (nil: all), in no order. A topic that is not
// there yet has none.
func (p *platform) latest(ctx context.Context, name string, wanted func(key string) bool, fn func(key string, w *avro.Walker, body []byte) error) error {
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return err
	}
	values := map[string][]byte{}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		switch {
		case r.Value == nil:
			delete(values, string(r.Key))
		case wanted == nil || wanted(string(r.Key)):
			values[string(r.Key)] = slices.Clone(r.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	walkers := map[int]*avro.Walker{}
	for key, value := range values {
		id, body, err := avro.Unframe(value)
		if err != nil {
			return fmt.Errorf("decode %s of %s: %w", key, name, err)
		}
		w := walkers[id]
		if w == nil {
			text, err := p.registry.Schema(ctx, id)
			if err != nil {
				return err
			}
			if w, err = avro.NewWalker(text); err != nil {
				return fmt.Errorf("read schema %d of %s: %w", id, name, err)
			}
			walkers[id] = w
		}
		if err := fn(key, w, body); err != nil {
			return fmt.Errorf("decode %s of %s: %w", key, name, err)
		}
	}
	return nil
}

// ends tells where the output topics end, to see whether anything moves.
func (p *platform) ends(ctx context.Context, org *config.Org) (string, error) {
	var names []string
	for _, name := range outputs {
		exists, err := p.kafka.Exists(ctx, topicName(org, name))
		if err != nil {
			return "", err
		}
		if exists {
			names = append(names, topicName(org, name))
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	all, err := p.kafka.Offsets(ctx, names...)
	return fmt.Sprint(all), err
}

// outputs are the matcher's topics.
var outputs = []string{"customer.view", "match.ambiguous", "match.unmatched"}
