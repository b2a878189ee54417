package sfapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// simulate runs a simulated org until the test ends.
func simulate(t *testing.T, cfg simulator.Config) (*simulator.Simulator, simulator.Ready) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := s.Unknown(); n != 0 {
			t.Errorf("the org did not know %d requests", n)
		}
	})
	ready, err := s.AwaitReady(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, ready
}

// auth logs in by password; a test changes the flow.
func auth(r simulator.Ready) sfapi.Auth {
	return sfapi.Auth{
		Flow: sfapi.Password, LoginURL: r.LoginURL, ClientID: r.ClientID, ClientSecret: secret.String(r.ClientSecret),
		Username: r.Username, Password: secret.String(r.Password), AllowAnyHost: true,
	}
}

func tokens(t *testing.T, a sfapi.Auth, store sfapi.TokenStore) *sfapi.TokenSource {
	t.Helper()
	s, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: a, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, s *sfapi.TokenSource) *sfapi.Client {
	t.Helper()
	c, err := sfapi.New(sfapi.Config{
		Tokens: s, AllowAnyHost: true, Retry: retry.Backoff{First: time.Millisecond, Max: 10 * time.Millisecond, Attempts: 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryFlowReachesTheOrg(t *testing.T) {
	t.Parallel()
	sim, ready := simulate(t, simulator.Config{Settings: simulator.Settings{AutoApprove: true}})
	for flow, change := range map[sfapi.Flow]func(*sfapi.Auth){
		sfapi.Password:          func(*sfapi.Auth) {},
		sfapi.ClientCredentials: func(a *sfapi.Auth) { a.Password = "" },
		sfapi.JWT:               func(a *sfapi.Auth) { a.PrivateKey = secret.String(sim.JWTKey()) },
		sfapi.WebServer:         func(a *sfapi.Auth) { a.RefreshToken = secret.String(ready.RefreshToken) },
	} {
		a := auth(ready)
		a.Flow = flow
		change(&a)
		s := tokens(t, a, nil)
		if err := client(t, s).Probe(t.Context()); err != nil {
			t.Errorf("%s: %v", flow, err)
		}
	}
}

func TestApprovalThenRotationThroughRevokedSessions(t *testing.T) {
	t.Parallel()
	sim, ready := simulate(t, simulator.Config{
		App: simulator.App{RotateRefresh: true, RequirePKCE: true}, Settings: simulator.Settings{AutoApprove: true},
	})
	store, err := sfapi.NewFileStore(filepath.Join(t.TempDir(), "token"), "acme", secret.String(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	a := auth(ready)
	a.Flow, a.RedirectURL = sfapi.WebServer, "http://localhost:1717/callback"
	s := tokens(t, a, store)
	login, err := s.NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	code, err := login.Code(approve(t, login.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exchange(t.Context(), login, code); err != nil {
		t.Fatal(err)
	}
	refreshed := make(map[secret.String]bool)
	for range 4 {
		sim.RevokeTokens()
		s = tokens(t, a, store) // as after a restart
		c := client(t, s)
		var all sync.WaitGroup
		for range 8 { // all find the session ended at once; one refreshes
			all.Go(func() {
				if err := c.Probe(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		stored, err := store.Load(t.Context())
		if err != nil || refreshed[stored.Refresh] {
			t.Fatalf("the refresh token did not change: %v", err)
		}
		refreshed[stored.Refresh] = true
	}
	sim.RevokeGrants()
	err = client(t, tokens(t, a, store)).Probe(t.Context())
	var refused *sfapi.AuthError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "run crosswalk connect") {
		t.Errorf("a revoked approval gave %v", err)
	}
}

// approve is the browser: it opens the approval page and returns where it was sent.
func approve(t *testing.T, page string) string {
	t.Helper()
	to, text := browse(t, page)
	if to == "" {
		t.Fatalf("the approval page sent nobody anywhere: %s", text)
	}
	return to
}

// Bulk pages, REST queries and collections are three ways to the same rows, faults on the way or not.
func TestBulkQueryAndCollectionGiveTheSameRows(t *testing.T) {
	t.Parallel()
	for name, schedule := range map[string]simulator.Schedule{
		"quiet":  {},
		"faults": {Seed: 7, Rate: 0.2, Path: "/services/data/*", Kinds: []string{"unavailable", "html", "internal", "drop", "concurrent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, ready := simulate(t, simulator.Config{
				Org: org.Config{Seed: 3, Accounts: 300, Contacts: 700}, Settings: simulator.Settings{
					QueryBatch: 200, Bulk: simulator.Bulk{PageRows: 120, Chunks: 4, Shuffle: true, Scientific: true},
				},
			})
			sim.SetSchedule(schedule)
			for _, after := range []int{3, 20, 40} {
				sim.Inject(simulator.Rule{Kind: "session", Path: "/services/data/*", After: after})
			}
			c := client(t, tokens(t, auth(ready), nil))
			for object, want := range map[string]int{"Account": 300, "Contact": 700} {
				d, err := c.Describe(t.Context(), object)
				if err != nil {
					t.Fatal(err)
				}
				schema := sfapi.Schema(d, sfapi.Selection{})
				bulk := bulkRows(t, c, schema)
				rest := queryRows(t, c, schema)
				if len(bulk) != want || len(rest) != want {
					t.Fatalf("%s: %d rows by Bulk and %d by REST, want %d", object, len(bulk), len(rest), want)
				}
				ids := make([]string, 0, want)
				for id := range bulk {
					ids = append(ids, id)
				}
				seen := 0
				err = c.RetrieveRows(t.Context(), schema, ids, func(id string, row *change.Row, err error) error {
					if err != nil || row == nil {
						return fmt.Errorf("%s: %w", id, err)
					}
					seen++
					if text := render(*row); text != bulk[id] || rest[id] != bulk[id] {
						t.Errorf("%s differs:\nbulk       %s\nREST       %s\ncollection %s", id, bulk[id], rest[id], text)
					}
					return nil
				})
				if err != nil || seen != want {
					t.Errorf("%s: %d rows by collection, %v", object, seen, err)
				}
			}
		})
	}
}

// render writes a row so that two can be compared.
func render(row change.Row) string {
	var b strings.Builder
	for i, v := range row.Values {
		fmt.Fprintf(&b, "%s:%d:%v ", row.Schema.Fields[i].Name, v.Kind(), v)
	}
	return b.String()
}

func createJob(t *testing.T, c *sfapi.Client, schema *change.Schema) sfapi.Job {
	t.Helper()
	soql := "SELECT " + strings.Join(sfapi.FieldNames(schema), ", ") + " FROM " + schema.Entity
	job, err := c.CreateJob(t.Context(), soql, true)
	if err == nil {
		job, err = c.AwaitJob(t.Context(), job.ID, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// bulkRows reads a job: its first pages one by one, the rest resumed at the locator reached, in parallel.
func bulkRows(t *testing.T, c *sfapi.Client, schema *change.Schema) map[string]string {
	t.Helper()
	job := createJob(t, c, schema)
	var mu sync.Mutex
	rows := make(map[string]string)
	take := func(p *sfapi.Page) error {
		for r := p.Rows(schema); ; {
			row, err := r.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			rows[row.ID] = render(row)
			mu.Unlock()
		}
	}
	locator := ""
	for p, err := range c.Pages(t.Context(), job, "") {
		if err == nil {
			err = take(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		locator = p.Next
		break // as after a crash: (job, locator) is all that is left
	}
	again, err := c.Job(t.Context(), job.ID)
	if err != nil || locator == "" {
		t.Fatalf("locator %q, %v", locator, err)
	}
	err = c.EachPage(t.Context(), again, locator, 3, func(_ context.Context, _ int, p *sfapi.Page) error { return take(p) })
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != again.RecordsProcessed {
		t.Errorf("%d rows, the job says %d", len(rows), again.RecordsProcessed)
	}
	if err := c.DeleteJob(t.Context(), job.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.Job(t.Context(), job.ID); !gone(err) {
		t.Errorf("a deleted job gave %v", err)
	}
	return rows
}

func gone(err error) bool {
	var e *sfapi.JobError
	return errors.As(err, &e) && e.Gone()
}

func queryRows(t *testing.T, c *sfapi.Client, schema *change.Schema) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	d := sfapi.NewRowDecoder(schema, nil)
	soql := "SELECT " + strings.Join(sfapi.FieldNames(schema), ", ") + " FROM " + schema.Entity
	for record, err := range c.Query(t.Context(), soql, sfapi.QueryOptions{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		row, err := d.Row(record)
		if err != nil {
			t.Fatal(err)
		}
		rows[row.ID] = render(row)
	}
	return rows
}

func TestDoctorsQuestions(t *testing.T) {
	t.Parallel()
	sim, ready := simulate(t, simulator.Config{Org: org.Config{Seed: 1, Accounts: 3}})
	c := client(t, tokens(t, auth(ready), nil))
	if v, err := c.Versions(t.Context()); err != nil || !slices.ContainsFunc(v, func(v sfapi.APIVersion) bool { return v.Version == c.Version() }) {
		t.Errorf("versions %v, %v", v, err)
	}
	if now, err := c.ServerTime(t.Context()); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("time %v, %v", now, err)
	}
	if l, err := c.Limits(t.Context()); err != nil || l["DailyApiRequests"].Max == 0 || c.Usage().Max == 0 {
		t.Errorf("limits %v, usage %+v, %v", l, c.Usage(), err)
	}
	if m, err := c.Members(t.Context()); err != nil || !slices.ContainsFunc(m, func(m sfapi.Member) bool { return m.Entity == "AccountChangeEvent" }) {
		t.Errorf("selected %v, %v", m, err)
	}
	for name, take := range map[string]struct {
		right func(*simulator.Profile)
		ask   func() error
		reads string
	}{
		"API Enabled": {func(p *simulator.Profile) { p.NoAPI = true }, func() error { return c.Probe(context.Background()) }, "API Enabled"},
		"Read":        {func(p *simulator.Profile) { p.NoRead = []string{"Account"} }, func() error { _, err := c.Describe(context.Background(), "Account"); return err }, "may not see it"},
		"hidden": {func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} }, func() error {
			_, err := c.CreateJob(context.Background(), "SELECT Id, Phone FROM Account", false)
			return err
		}, "hidden from this user"},
		"setup":  {func(p *simulator.Profile) { p.NoSetup = true }, func() error { _, err := c.Members(context.Background()); return err }, "View Setup and Configuration"},
		"scope":  {func(p *simulator.Profile) { p.NoAPIScope = true }, func() error { return client(t, tokens(t, auth(ready), nil)).Probe(context.Background()) }, "api scope"},
		"locked": {func(p *simulator.Profile) { p.LockedToIP = true }, func() error { return c.Probe(context.Background()) }, "Lock sessions to the IP address"},
	} {
		sim.Permit(func(p *simulator.Profile) { *p = simulator.Profile{}; take.right(p) })
		err := take.ask()
		if err == nil || !strings.Contains(err.Error(), take.reads) {
			t.Errorf("%s: %v", name, err)
		}
		sim.Permit(func(p *simulator.Profile) { *p = simulator.Profile{} })
	}
}
