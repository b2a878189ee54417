package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
)

// status is what /api/status says of this process: its endpoints, the tasks that it runs and since when, and what each component
// says of itself, with the overview of each org for people.
func (a *App) status(p *platform) map[string]any {
	orgs := map[string]any{}
	a.mu.Lock()
	defer a.mu.Unlock()
	for org, components := range a.statuses {
		of := map[string]any{}
		for name, status := range components {
			of[name] = status()
		}
		of["overview"] = overview(of, time.Now())
		orgs[org] = of
	}
	return map[string]any{"endpoints": p.endpoints, "orgs": orgs, "tasks": maps.Clone(a.running)}
}

// reports registers a component's own status.
func (a *App) reports(org *config.Org, component string, status func() any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.statuses == nil {
		a.statuses = map[string]map[string]func() any{}
	}
	name := orgName(org)
	if a.statuses[name] == nil {
		a.statuses[name] = map[string]func() any{}
	}
	a.statuses[name][component] = status
}

// Status returns a JSON object: what the process on this data_dir says, or, when none runs, what the topics say.
func (a *App) Status(ctx context.Context) ([]byte, error) {
	running, ok, err := readEndpoints(a.cfg.DataDir)
	if err != nil {
		return nil, err
	}
	if ok && running.Console != "" {
		if text, err := ask(ctx, running.Console+"/api/status"); err == nil {
			return text, nil
		}
	}
	p, err := a.asking(ctx)
	if err != nil {
		return nil, err
	}
	defer p.close()
	orgs := map[string]any{}
	for i := range a.cfg.Orgs {
		org := &a.cfg.Orgs[i]
		if orgs[orgName(org)], err = p.stored(ctx, org); err != nil {
			return nil, err
		}
	}
	out, err := json.Marshal(map[string]any{
		"running": false, "note": "no process runs on this data_dir; this is what the topics say", "orgs": orgs,
	})
	if err != nil {
		return nil, fmt.Errorf("print status: %w", err)
	}
	return out, nil
}

// stored is what the topics say of an org: positions and how many records each topic holds.
func (p *platform) stored(ctx context.Context, org *config.Org) (map[string]any, error) {
	topics := map[string]any{}
	for _, name := range slices.Concat([]string{"salesforce.account", "salesforce.contact", "salesforce.note", "erp.customer"}, outputs) {
		live := 0
		err := p.latest(ctx, topicName(org, name), nil, func(string, *avro.Walker, []byte) error { live++; return nil })
		if err != nil {
			return nil, err
		}
		topics[name] = live
	}
	positions := map[string]any{}
	name := topicName(org, "crosswalk.position")
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return map[string]any{"live_records": topics}, err
	}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if r.Value == nil {
			return nil
		}
		position, err := readRecord(ctx, p, r.Value, avro.DecodePosition)
		if source, ours := strings.CutPrefix(string(r.Key), orgName(org)+"/"); isUnreadable(err) && ours {
			positions[source] = map[string]any{"error": err.Error()}
		}
		if isUnreadable(err) {
			return nil
		}
		if err == nil && topic.OrgName(position.Org) == orgName(org) {
			positions[position.Source] = positionSummary(position)
		}
		return err
	})
	return map[string]any{"live_records": topics, "positions": positions}, err
}

func positionSummary(p avro.Position) map[string]any {
	s := map[string]any{"epoch": p.Epoch, "updated_at": time.UnixMilli(p.UpdatedAt).UTC().Format(time.RFC3339)}
	if p.ReplayID != nil {
		s["replay_id"] = *p.ReplayID
	}
	if p.EventAt != nil {
		s["event_at"] = time.UnixMilli(*p.EventAt).UTC().Format(time.RFC3339)
	}
	for _, snapshot := range p.Snapshots {
		s["snapshot "+snapshot.Entity] = fmt.Sprintf("%s, %d rows published", snapshot.State, snapshot.RowsPublished)
	}
	return s
}

// askTime is how long a console may take to answer: long, for a busy machine; where nobody listens is known at once.
const askTime = 15 * time.Second

func ask(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for status: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for status: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for status: %s answered %s", url, reply.Status)
	}
	text, err := io.ReadAll(io.LimitReader(reply.Body, 8<<20))
	if err != nil {
		return nil, fmt.Errorf("ask for status: %w", err)
	}
	return text, nil
}

func orgName(org *config.Org) string { return topic.OrgName(org.Alias) }
