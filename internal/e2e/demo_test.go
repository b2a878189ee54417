// Package e2e holds whole pipelines to what they promise: in process on the embedded parts here, on a real Kafka and with
// SIGKILL by real.sh and the programs under it.
//
// The tests go in by the doors that the commands use (internal/app) and look at what comes out with a Kafka client of their
// own. Nothing in between is replaced.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/app"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
)

// patience bounds every test.
const patience = 20 * time.Minute

func setup(t *testing.T) (context.Context, *config.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cfg, err := config.Load("", []string{"CROSSWALK_DATA_DIR=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, cfg
}

func TestDemoOnceFindsEveryViewRight(t *testing.T) {
	t.Parallel()
	ctx, cfg := setup(t)
	var out bytes.Buffer
	r, err := app.Demo(ctx, cfg, slog.New(slog.DiscardHandler), app.DemoOptions{Once: true, Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if r.Different != 0 || len(r.Differences) != 0 || r.Compared != r.Matched+r.Unmatched+r.Ambiguous {
		t.Errorf("report %+v", r)
	}
	if r.Matched < 400 || r.Unmatched < 50 || r.NearMisses < 20 || r.Ambiguous == 0 || r.Contacts == 0 || r.Customers != 592 {
		t.Errorf("the demo shows too little: %+v", r)
	}
	for _, word := range []string{"Kafka", "Schema registry", "Console", "Matched", "Near misses", "0 differ"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("it does not say %q:\n%s", word, out.String())
		}
	}
}

// TestDemoFindsWrongValues breaks three published values, each in another way; the comparison must find these and no others.
func TestDemoFindsWrongValues(t *testing.T) {
	t.Parallel()
	ctx, cfg := setup(t)
	var spoilt []string
	r, err := app.Demo(ctx, cfg, slog.New(slog.DiscardHandler), app.DemoOptions{
		Once: true, Tamper: func(ctx context.Context, e app.Endpoints) (err error) {
			spoilt, err = tamper(ctx, e)
			return err
		},
	})
	if !errors.Is(err, app.ErrDifferent) {
		t.Fatalf("error %v, want %v", err, app.ErrDifferent)
	}
	if r.Different != len(spoilt) || len(r.Differences) != len(spoilt) {
		t.Fatalf("%d differ: %q; want %q", r.Different, r.Differences, spoilt)
	}
	for i, want := range spoilt {
		if !strings.HasPrefix(r.Differences[i], want) {
			t.Errorf("difference %q, want %q", r.Differences[i], want)
		}
	}
}

// tamper writes spoilt copies of live records, as a foreign producer might, and returns their topics and keys in order: a
// view with another customer's value, a view and an issue that are deleted.
func tamper(ctx context.Context, e app.Endpoints) (spoilt []string, err error) {
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: strings.Split(e.Kafka, ",")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	views, err := live(ctx, kafka, "customer.view")
	if err != nil {
		return nil, err
	}
	issues, err := live(ctx, kafka, "match.unmatched")
	if err != nil {
		return nil, err
	}
	swapped, deleted, solved := views[0], views[1], issues[0]
	swapped.Value, deleted.Value, solved.Value = views[2].Value, nil, nil
	w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: "intruder", Topics: []string{swapped.Topic, solved.Topic}})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	for _, r := range []topic.Record{swapped, deleted, solved} {
		spoilt = append(spoilt, r.Topic+" "+string(r.Key))
	}
	return spoilt, w.Write(ctx, swapped, deleted, solved)
}

// live returns the newest record of each live key of a topic, in the order of the keys; three at least.
func live(ctx context.Context, kafka *topic.Client, name string) ([]topic.Record, error) {
	latest := map[string]topic.Record{}
	_, err := kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if r.Value == nil {
			delete(latest, string(r.Key))
			return nil
		}
		latest[string(r.Key)] = topic.Record{Topic: name, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		return nil
	})
	if err == nil && len(latest) < 3 {
		err = fmt.Errorf("%s holds %d live records, too few", name, len(latest))
	}
	var out []topic.Record
	for _, key := range slices.Sorted(maps.Keys(latest)) {
		out = append(out, latest[key])
	}
	return out, err
}

func TestDemoKeepsChangingUntilStopped(t *testing.T) {
	t.Parallel()
	ctx, cfg := setup(t)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := &watched{word: "until you press Ctrl-C", seen: stop}
	if _, err := app.Demo(ctx, cfg, slog.New(slog.DiscardHandler), app.DemoOptions{Out: out}); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if ctx.Err() == nil {
		t.Error("it ended by itself")
	}
}

// watched calls seen once a word is written.
type watched struct {
	word string
	seen func()
}

// Write looks for the word.
func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.seen()
	}
	return len(p), nil
}
