package salesforce_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// The tests in reaction_*_test.go hold what the whole producer makes of each error of facts 1.3, 1.4, 2.2, 3.5, 4.5 and 8: a row lets the
// simulated org send it, and wants the words that reach a person (in the log, the status, the audit, or the error that Run ends
// with) and what the program does next. The whole sentences stand in the tables of packages sfapi and bayeux.

// reaction is what the program does next.
type reaction string

const (
	passes  reaction = "it tries again by itself until it passes"                // and warns meanwhile
	retries reaction = "it leaves that alone, and tries it again when it is due" // and warns
	ends    reaction = "Run ends, and the next process goes on from there"
	pauses  reaction = "it waits for the budget, and goes on by itself"
)

// diary remembers what a producer logs.
type diary struct {
	next  slog.Handler
	mu    sync.Mutex
	lines []string
	news  chan struct{} // closed when there is another line
}

func newDiary(next slog.Handler) *diary { return &diary{next: next, news: make(chan struct{})} }

func (d *diary) Enabled(context.Context, slog.Level) bool { return true }
func (d *diary) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *diary) WithGroup(string) slog.Handler            { return d }

func (d *diary) Handle(ctx context.Context, r slog.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%s %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%v", a.Key, a.Value)
		return true
	})
	d.mu.Lock()
	d.lines = append(d.lines, line.String())
	close(d.news)
	d.news = make(chan struct{})
	d.mu.Unlock()
	if !d.next.Enabled(ctx, r.Level) {
		return nil
	}
	return d.next.Handle(ctx, r)
}

// mark is where the diary is now.
func (d *diary) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// anyLevel is any level for find.
const anyLevel slog.Level = -100

// find returns the first line behind a mark that begins with a level and contains all of parts.
func (d *diary) find(from int, level slog.Level, parts ...string) (line string, news <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.lines[from:] {
		if (level == anyLevel || strings.HasPrefix(line, level.String()+" ")) && containsAll(line, parts...) {
			return line, d.news
		}
	}
	return "", d.news
}

// count is how many lines have a text.
func (d *diary) count(text string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.lines {
		n += strings.Count(line, text)
	}
	return n
}

// tail is what a person who is called sees last.
func (d *diary) tail(from int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines[max(from, len(d.lines)-20):], "\n")
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// patient is a bench whose producer is as patient as the program's, in little time, with a process that can be started again and a diary.
type patient struct {
	*bench
	diary *diary
	p     *life      // the process that lives; nil: none
	n     int        // changes made
	some  []string   // Accounts
	whole testing.TB // the test that all rows are of
}

// newPatient sets an org up. adjust, when not nil, changes the configuration.
func newPatient(t *testing.T, config simulator.Config, adjust func(*patient)) *patient {
	t.Helper()
	if config.Org.Accounts == 0 {
		config.Org = org.Config{Seed: 150, Accounts: 6, Contacts: 4, Notes: 12}
	}
	b := &patient{bench: setup(t, config), whole: t}
	b.diary = newDiary(b.config.Logger.Handler())
	quick := retry.Backoff{First: time.Millisecond, Max: 10 * time.Millisecond}
	b.config.Logger = slog.New(b.diary)
	b.config.ReadAgain, b.config.JobPause = 10*time.Millisecond, 10*time.Millisecond
	b.config.StreamRetry, b.config.StreamBusy = quick, retry.Backoff{First: 300 * time.Millisecond, Max: 300 * time.Millisecond}
	b.config.Notes = salesforce.Notes{Objects: []string{"Note"}, Every: 20 * time.Millisecond}
	b.config.PollEvery = 100 * time.Millisecond
	if adjust != nil {
		adjust(b)
	}
	b.some = b.ids("Account")
	return b
}

// login gives the next process credentials of its own, as another start of the program has. change, when not nil, spoils them.
func (b *patient) login(change func(*sfapi.Auth)) {
	b.t.Helper()
	quick := retry.Backoff{First: time.Millisecond, Max: 10 * time.Millisecond}
	ready, err := b.sim.AwaitReady(b.ctx)
	b.must(err)
	auth := sfapi.Auth{
		Flow: sfapi.Password, LoginURL: ready.LoginURL, ClientID: ready.ClientID, ClientSecret: secret.String(ready.ClientSecret),
		Username: ready.Username, Password: secret.String(ready.Password), AllowAnyHost: true,
	}
	if change != nil {
		change(&auth)
	}
	b.config.Tokens, err = sfapi.NewTokenSource(sfapi.TokenConfig{Auth: auth, Retry: quick, Logger: b.config.Logger})
	b.must(err)
	quick.Attempts = sfapi.Outlast
	b.config.Client, err = sfapi.New(sfapi.Config{
		Tokens: b.config.Tokens, AllowAnyHost: true, Retry: quick, Logger: b.config.Logger, Budget: sfapi.NewBudget(retry.Backoff{First: 10 * time.Millisecond, Max: 50 * time.Millisecond}),
	})
	b.must(err)
}

// alive returns the process that lives, or starts the next one.
func (b *patient) alive() *life {
	b.t.Helper()
	if b.p == nil {
		b.login(nil)
		b.p = b.begun()
		b.await(b.p, func(s salesforce.Status) bool { return s.Phase == "streaming" && s.Waiting == 0 })
	}
	return b.p
}

// begun starts a process that lives on when the row is over.
func (b *patient) begun() *life {
	row := b.t
	defer func() { b.t = row }()
	b.t = b.whole
	return b.start()
}

// change makes a change of an Account: by an event that has its fields, or by a gap event, after which the record is read by id.
func (b *patient) change(direct bool) (id, city string) {
	b.t.Helper()
	b.n++
	id, city = b.some[b.n%len(b.some)], fmt.Sprint("city ", b.n)
	tx := b.sim.Org().Begin(org.Actor{Direct: direct})
	b.must(tx.Update("Account", id, org.Fields{"BillingCity": city}))
	tx.Commit()
	return id, city
}

// shown waits until a change is published.
func (b *patient) shown(id, city string) {
	b.t.Helper()
	b.await(b.p, func(salesforce.Status) bool { return b.latest("salesforce.account")[id]["BillingCity"] == city })
}

// reads waits until a person can read something, in the log or as the error that Run ends with, and returns it. ended says which.
func (b *patient) reads(from int, level slog.Level, parts ...string) (text string, ended bool) {
	b.t.Helper()
	for {
		line, news := b.diary.find(from, level, parts...)
		if line != "" {
			return line, false
		}
		select {
		case <-news:
		case <-b.p.done:
			b.p.gone = true
			if b.p.err == nil || !containsAll(b.p.err.Error(), parts...) {
				b.t.Fatalf("Run ended with\n  %v\nwithout %q", b.p.err, parts)
			}
			return b.p.err.Error(), true
		case <-b.ctx.Done():
			b.t.Fatalf("nobody was told %q", parts)
		}
	}
}

// ended wants Run to have ended, with an error that says so.
func (b *patient) ended(parts ...string) string {
	b.t.Helper()
	err := b.p.outcome()
	b.p = nil
	if err == nil || !containsAll(err.Error(), parts...) {
		b.t.Fatalf("Run ended with\n  %v\nwithout %q", err, parts)
	}
	return err.Error()
}

// refuse makes the org answer every request to a path so, until the faults are lifted.
func (b *patient) refuse(method, path string, f simulator.Fault) {
	b.sim.Inject(simulator.Rule{Fault: f, Method: method, Path: path, Count: -1})
}

// discreet looks for secrets in what a person reads.
func (b *patient) discreet() {
	b.t.Helper()
	ready, err := b.sim.AwaitReady(b.ctx)
	b.must(err)
	b.diary.mu.Lock()
	defer b.diary.mu.Unlock()
	for _, line := range b.diary.lines {
		for _, secret := range []string{ready.ClientSecret, ready.Password} {
			if strings.Contains(line, secret) {
				b.t.Errorf("a line of the log shows a secret: %s", line)
			}
		}
	}
}

// row runs one row of a table on a bench that all of them share. What it leaves behind is cleared away.
func (b *patient) row(t *testing.T, name string, run func()) {
	t.Helper()
	if b.whole.Failed() {
		return // the rows share too much to go on
	}
	t.Run(name, func(t *testing.T) {
		from := b.diary.mark()
		defer func() {
			if t.Failed() {
				t.Logf("the log's last lines:\n%s", b.diary.tail(from))
			}
		}()
		defer func() { b.t = b.whole }()
		b.t = t
		defer b.sim.ClearFaults()
		run()
	})
}

func answers(status int, code, message string) simulator.Fault {
	return simulator.Fault{Status: status, Code: code, Message: message}
}

func answersPage(status int, media, body string) simulator.Fault {
	return simulator.Fault{Status: status, ContentType: cmp.Or(media, "text/plain"), Body: body}
}
