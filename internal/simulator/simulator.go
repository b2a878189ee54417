// Package simulator is a Salesforce org in one process: OAuth, REST, Bulk API 2.0, CometD with change events, and a
// control address that changes data and injects faults. It is faithful enough for clients that know nothing of it.
//
// A request passes through it so: the log takes it down, the fault hook may answer it, the session and the user's
// profile are checked, the API call is counted, and the handler of its path answers from the org (package org), by way
// of package soql when it is a query. Changes come from REST, from the control address or from Go; package org commits
// them in order to the event log (package cdc), from which package cometd serves subscribers.
//
// What is modelled and what is left out stands in DESIGN.md. The package shares no code with the client that it tests.
package simulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
	"crosswalk/internal/simulator/org"
)

// Simulator is one simulated org. Its methods may be called from any goroutine.
type Simulator struct {
	config   Config
	org      *org.Org
	events   *cdc.Log
	stream   *cometd.Server
	log      *slog.Logger
	seed     uint64
	now      func() time.Time
	settings atomic.Pointer[Settings]
	profile  atomic.Pointer[Profile]
	app      atomic.Pointer[App]
	tokens   tokens
	cursors  cursors
	jobs     jobs
	faults   faults
	requests journal
	usage    usage
	held     held
	keys     keys

	emitted   atomic.Int64 // changes made by Emit
	permitted atomic.Int64 // when the profile changed last, Unix nanoseconds

	ready chan struct{}
	info  atomic.Pointer[Ready]
	once  sync.Once
}

// Ready is what `crosswalk simulator` prints when it listens: where the org is and how to log in.
type Ready struct {
	LoginURL     string `json:"login_url"`
	InstanceURL  string `json:"instance_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Username     string `json:"username"`
	Password     string `json:"password"` // with the security token behind it
	RefreshToken string `json:"refresh_token"`
	JWTKeyFile   string `json:"jwt_key_file"`
	ControlURL   string `json:"control_url"`
}

// New makes the org and all that serves it. It listens nowhere: Run does, or the caller mounts Handler and Control.
func New(config Config) (*Simulator, error) {
	s := &Simulator{config: config, log: config.Logger, seed: config.Org.Seed, now: config.Org.Now, ready: make(chan struct{})}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.settings.Store(&config.Settings)
	s.profile.Store(&config.Profile)
	app := config.App
	app.Name = cmp.Or(app.Name, "Crosswalk")
	app.ClientID = cmp.Or(app.ClientID, "3MVG9"+s.derived("client id", 40))
	app.ClientSecret = cmp.Or(app.ClientSecret, s.derived("client secret", 32))
	s.app.Store(&app)
	s.config.Password = cmp.Or(config.Password, s.derived("password", 12))
	s.config.SecurityToken = cmp.Or(config.SecurityToken, s.derived("security token", 24))
	s.config.Org.Username = cmp.Or(config.Org.Username, "integration@crosswalk.example")
	s.config.Org.Committed = s.committed

	events := config.Events
	events.Compound = func(entity, field string) (string, string, bool) { return s.org.Compound(entity, field) }
	events.Type = s.fieldType
	events.Formula = func(entity, field string) bool {
		f, ok := s.field(entity, field)
		return ok && f.Calculated()
	}
	events.Exists = func(entity string) bool {
		ob, ok := s.org.Object(entity)
		return ok && ob.Can('e') && ob.Name == entity
	}
	events.Current = s.currentValue
	events.Clock = s.now
	s.config.Org.FormulasInEvents = events.Formulas
	s.events = cdc.NewLog(events)
	var err error
	if s.org, err = org.New(s.config.Org); err != nil {
		return nil, fmt.Errorf("make simulated org: %w", err)
	}
	streaming := config.Streaming
	streaming.Log = s.events
	streaming.Authenticate = s.streamUser
	streaming.Clock = s.now
	hook := streaming.Hook
	streaming.Hook = func(e cometd.Exchange) *cometd.Fault {
		if hook != nil {
			if f := hook(e); f != nil {
				return f
			}
		}
		return s.faults.message(e)
	}
	s.stream = cometd.NewServer(streaming)
	s.tokens.init(s)
	return s, nil
}

// Org is the data: it may be read and changed at any time.
func (s *Simulator) Org() *org.Org { return s.org }

// Events is the log of change events, whatever client has read of it.
func (s *Simulator) Events() *cdc.Log { return s.events }

// Stream is the streaming endpoint: its Await methods tell when a client has subscribed and what it was sent.
func (s *Simulator) Stream() *cometd.Server { return s.stream }

// Settings returns the settings as they are now.
func (s *Simulator) Settings() Settings { return *s.settings.Load() }

// Configure changes settings: what change leaves in them counts from the next request on.
func (s *Simulator) Configure(change func(*Settings)) { alter(&s.settings, change) }

// Permit changes what the integration user may do. Held streaming connects notice at once.
func (s *Simulator) Permit(change func(*Profile)) {
	alter(&s.profile, change)
	s.permitted.Store(s.now().UnixNano())
	s.stream.Reauthenticate()
}

// ConfigureApp changes the connected app; logins that begin afterwards are held to it.
func (s *Simulator) ConfigureApp(change func(*App)) { alter(&s.app, change) }

// described is when describe last changed: with the schema or with the profile.
func (s *Simulator) described() time.Time {
	changed := s.org.SchemaTime()
	if p := time.Unix(0, s.permitted.Load()); p.After(changed) {
		return p
	}
	return changed
}

// alter replaces a value by a changed copy.
func alter[T any](p *atomic.Pointer[T], change func(*T)) {
	for {
		old := p.Load()
		next := *old
		change(&next)
		if p.CompareAndSwap(old, &next) {
			return
		}
	}
}

// committed hands a commit of the org to the event log.
func (s *Simulator) committed(c org.Commit) int64 {
	changes := make([]cdc.Change, len(c.Changes))
	for i, ch := range c.Changes {
		changes[i] = cdc.Change{Entity: ch.Entity, ID: ch.ID, Kind: ch.Kind, Fields: ch.Fields, Old: ch.Old}
	}
	return s.events.Commit(cdc.Commit{At: c.At, User: c.User, Origin: c.Origin, TransactionKey: c.TransactionKey, Number: c.Number, Changes: changes})
}

func (s *Simulator) field(object, name string) (*org.Field, bool) {
	ob, ok := s.org.Object(object)
	if !ok {
		return nil, false
	}
	return ob.Field(name)
}

func (s *Simulator) fieldType(entity, field string) string {
	if f, ok := s.field(entity, field); ok {
		return f.Type
	}
	return ""
}

// currentValue reads one field now, of deleted records too.
func (s *Simulator) currentValue(entity, id, field string) (value any, ok bool) {
	ob, found := s.org.Object(entity)
	if !found {
		return nil, false
	}
	f, found := ob.Field(field)
	if !found {
		return nil, false
	}
	s.org.View(func(v org.View) {
		if r, found := v.Find(ob, id); found {
			text, set := r.Text(f)
			value, ok = f.Value(text, set), true
		}
	})
	return value, ok
}

// Serve runs a simulator until ctx ends and writes one JSON line to out when it is ready: what `crosswalk simulator` does.
func Serve(ctx context.Context, config Config, out io.Writer) error {
	s, err := New(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	ready, err := s.AwaitReady(ctx)
	if err == nil {
		err = json.NewEncoder(out).Encode(ready)
	}
	if err != nil {
		cancel()
	}
	return cmp.Or(<-failed, ignoreCancel(err))
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// AwaitReady returns when Run listens: where, and with which credentials. It fails only when ctx ends.
func (s *Simulator) AwaitReady(ctx context.Context) (Ready, error) {
	select {
	case <-s.ready:
		return *s.info.Load(), nil
	case <-ctx.Done():
		return Ready{}, fmt.Errorf("await simulator: %w", ctx.Err())
	}
}

// Handler serves the org and its login host, for a server of the caller's instead of Run.
func (s *Simulator) Handler() http.Handler { return http.HandlerFunc(s.serveOrg) }

// Control serves the control address, for a server of the caller's instead of Run.
func (s *Simulator) Control() http.Handler { return http.HandlerFunc(s.serveControl) }
