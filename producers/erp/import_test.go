package erp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sync/errgroup"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/producers/erp/rows"
	"crosswalk/schemas"
)

func (b *bench) imported(name, mode, text string) (Result, error) {
	b.t.Helper()
	return ImportFile(b.ctx, b.config, Import{Path: b.file(text), Source: source(name, mode)})
}

// has checks the counts of a result: rows, published, unchanged, deleted, rejected.
func (b *bench) has(r Result, rows, published, unchanged, deleted, rejected int) {
	b.t.Helper()
	got := [5]int{r.Rows, r.Published, r.Unchanged, r.Deleted, r.Rejected}
	if want := [5]int{rows, published, unchanged, deleted, rejected}; got != want {
		b.t.Errorf("rows, published, unchanged, deleted, rejected = %v, want %v", got, want)
	}
}

const importHead = "No,Name,Balance,City\n"

func TestFullAndDeltaImports(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	steps := []struct {
		name, source, mode, text         string
		rows, published, unchanged, gone int
		live                             string
	}{
		{"first", "ar", "full", "C1,Acme,1\nC2,Beta,2\nC3,Gamma,3\n", 3, 3, 0, 0, "C1=Acme C2=Beta C3=Gamma"},
		{"the same again publishes nothing", "ar", "full", "C3,Gamma,3.00\nC2,Beta,2\nC1,Acme,1\n", 3, 0, 3, 0, "C1=Acme C2=Beta C3=Gamma"},
		{"a delta deletes nothing", "ar", "delta", "C2,Beta Ltd,2\nC4,Delta,4\n", 2, 2, 0, 0, "C1=Acme C2=Beta Ltd C3=Gamma C4=Delta"},
		{"a full file deletes what it does not name", "ar", "full", "C1,Acme,1\nC2,Beta Ltd,2\nC4,Delta,4\n", 3, 0, 3, 1, "C1=Acme C2=Beta Ltd C4=Delta"},
		{"another source's customers are not missing here", "eu", "full", "E1,Eins,1\n", 1, 1, 0, 0, "C1=Acme C2=Beta Ltd C4=Delta E1=Eins"},
		{"a deleted one comes back", "ar", "delta", "C3,Gamma,3\n", 1, 1, 0, 0, "C1=Acme C2=Beta Ltd C3=Gamma C4=Delta E1=Eins"},
	}
	for _, s := range steps {
		text := importHead + strings.ReplaceAll(s.text, "\n", ",Bonn\n")
		got, err := b.imported(s.source, s.mode, text)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		t.Log(s.name)
		b.has(got, s.rows, s.published, s.unchanged, s.gone, 0)
		if live := b.live(); live != s.live {
			t.Fatalf("%s: the topic holds %s, want %s", s.name, live, s.live)
		}
	}
	ops := ""
	for _, r := range b.records() {
		if r.key == "C3" {
			ops += r.op + " "
		}
	}
	if ops != "create delete create " {
		t.Errorf("the operations on C3 are %q", ops)
	}
}

func TestRefusedImportsPublishNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,2,\nC3,Gamma,3,\n"); err != nil {
		t.Fatal(err)
	}
	before := len(b.records())
	var tooMany *TooManyDeletesError
	if _, err := b.imported("ar", "full", importHead+"C9,New,9,\n"); !errors.As(err, &tooMany) || tooMany.Deletes != 3 || tooMany.Of != 3 {
		t.Errorf("error %v, want a refusal to delete 3 of 3", err)
	}
	none := source("ar", "full")
	none.MaxDeleteShare = new(0.0)
	if _, err := ImportFile(b.ctx, b.config, Import{Path: b.file(importHead + "C1,Acme,1,\nC2,Beta,2,\n"), Source: none}); !errors.As(err, &tooMany) || tooMany.Deletes != 1 {
		t.Errorf("error %v, want a refusal to delete any", err)
	}
	if _, err := b.imported("ar", "full", "No,Nom,Balance\nC9,New,9\n"); err == nil || !strings.Contains(err.Error(), `no column "Name"`) {
		t.Errorf("error %v, want one that names the missing column", err)
	}
	if after := len(b.records()); after != before {
		t.Errorf("refused imports wrote %d records", after-before)
	}
}

func TestRejectedRowsKeepTheirCustomers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,2,\nC3,Gamma,3,\n"); err != nil {
		t.Fatal(err)
	}
	// The row of C2 is damaged, but it names C2: it is not missing.
	got, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,two,\n")
	if err != nil {
		t.Fatal(err)
	}
	b.has(got, 1, 0, 1, 1, 1)
	if live := b.live(); live != "C1=Acme C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
	text, err := os.ReadFile(got.RejectsFile)
	if err != nil || !strings.Contains(string(text), "3,Balance,") {
		t.Errorf("rejects file %q, %v: want line 3, column Balance", text, err)
	}
	// A row without a readable number may be anyone's: nothing is deleted.
	got, err = b.imported("ar", "full", importHead+"C1,Acme Ltd,1,\n,Beta,2,\n")
	if err != nil || got.DeletesWithheld == "" {
		t.Fatalf("deletes withheld: %q, %v", got.DeletesWithheld, err)
	}
	if live := b.live(); live != "C1=Acme Ltd C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
}

// during returns progress that does something once, while an import reads its file and has not taken over yet.
func during(do func()) func(int64, int64) {
	var once sync.Once
	return func(int64, int64) { once.Do(do) }
}

func TestImportsAtTheSameTimeBothArrive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := ImportFile(b.ctx, b.config, Import{
		Path: b.file(importHead + "C2,First,1,\n"), Source: source("ar", "delta"),
		Progress: during(func() {
			_, err := b.imported("ar", "delta", importHead+"C1,Second,1,\n")
			b.must(err)
		}),
	})
	b.must(err)
	if live := b.live(); live != "C1=Second C2=First" {
		t.Errorf("the topic holds %s", live)
	}
}

// interrupted runs an import of which another writer takes the topic over after it has published the first row.
func (b *bench) interrupted(patient bool, other func()) (Result, error) {
	p := newPublisher(&b.config, patient)
	defer p.close()
	var once sync.Once
	f, err := os.Open(b.file(importHead + "C1,One,1,\nC2,Two,2,\nC3,Three,3,\n"))
	b.must(err)
	defer f.Close()
	j := fileJob(p.cfg, source("ar", "full"), "customers.csv", f)
	j.reject = func(*rows.Reject) error { return nil }
	b.must(j.survey(b.ctx))
	read := 0
	j.progress = func(int64) {
		if read++; read == 2 {
			once.Do(other)
		}
	}
	return j.result, p.do(b.ctx, p.once(Import{Path: "customers.csv", Source: j.source}, j))
}

func TestAWriterThatLostTheTopicTakesItBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.imported("ar", "full", importHead+"C1,Old,1,\nC4,Gone,4,\n")
	b.must(err)
	_, err = b.interrupted(false, func() {
		_, err := b.imported("eu", "delta", importHead+"E1,Else,1,\n")
		b.must(err)
	})
	b.must(err)
	if live := b.live(); live != "C1=One C2=Two C3=Three E1=Else" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestAnImportByHandGivesWayToALaterOneOfItsSource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	later := func() {
		_, err := b.imported("ar", "full", importHead+"C1,Newer,1,\nC2,Two,2,\nC3,Three,3,\n")
		b.must(err)
	}
	var superseded *SupersededError
	if _, err := b.interrupted(false, later); !errors.As(err, &superseded) {
		t.Errorf("error %v, want that a later import came in between", err)
	}
	if live := b.live(); live != "C1=Newer C2=Two C3=Three" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestASourceOfTheTaskGoesOnAfterAnImportByHand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.interrupted(true, func() {
		_, err := b.imported("ar", "full", importHead+"C1,By hand,1,\nC2,Two,2,\nC3,Three,3,\n")
		b.must(err)
	})
	b.must(err)
	if live := b.live(); live != "C1=One C2=Two C3=Three" {
		t.Errorf("the topic holds %s", live)
	}
}

// What a session believes to be in the topic is true only while it is the writer.
func TestUnchangedIsNotBelievedAfterALoss(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newPublisher(&b.config, true)
	defer p.close()
	value := b.value("C1", "Acme")
	put := func() (published bool) {
		b.must(p.do(b.ctx, func(ctx context.Context, s *session) (err error) {
			batch := s.begin("ar")
			if published, err = batch.put(ctx, "C1", value); err != nil {
				return err
			}
			return batch.settle(ctx)
		}))
		return published
	}
	if !put() || put() {
		t.Error("the first put publishes, the second finds it there")
	}
	_, err := b.imported("ar", "delta", importHead+"C1,Changed,1,\n")
	b.must(err)
	if !put() {
		t.Error("the customer was changed elsewhere, so it is published again")
	}
	if live := b.live(); live != "C1=Acme" {
		t.Errorf("the topic holds %s", live)
	}
}

// value is an encoded customer.
func (b *bench) value(number, name string) []byte {
	b.t.Helper()
	id, err := b.registry.Register(b.ctx, b.config.topics().customer+"-value", schemas.ERPCustomer)
	b.must(err)
	c := avro.Customer{Number: number, Name: change.StringValue(name)}
	value, err := c.Append(avro.Frame(nil, id))
	b.must(err)
	return value
}

func TestManyJobsShareOneSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newPublisher(&b.config, true)
	defer p.close()
	var g errgroup.Group
	for i := range 20 {
		g.Go(func() error {
			return p.do(b.ctx, func(ctx context.Context, s *session) error {
				batch := s.begin("ar")
				for n := range 50 {
					key := fmt.Sprintf("C%d", (i+n)%60)
					if _, err := batch.put(ctx, key, b.value(key, fmt.Sprint("by ", i%2))); err != nil {
						return err
					}
				}
				return batch.settle(ctx)
			})
		})
	}
	b.must(g.Wait())
	if n := len(strings.Fields(strings.ReplaceAll(b.live(), "=by ", "="))); n != 60 {
		t.Errorf("%d customers, want 60", n)
	}
	if held := testutil.ToFloat64(b.config.Metrics.takeovers); held != 1 {
		t.Errorf("the topic was taken over %v times", held)
	}
}

// Deletions are compacted away in the end; the epoch that they had must not come again, or a reader that remembers it would
// ignore what is new.
func TestEpochsRiseEvenWhenTheTopicIsEmpty(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	last := int64(0)
	for range 3 {
		p := newPublisher(&b.config, false)
		s, err := p.session(b.ctx)
		b.must(err)
		if s.epoch <= last {
			t.Errorf("epoch %d after %d", s.epoch, last)
		}
		last = s.epoch
		p.close()
	}
}

func TestAnEndedContextEndsAnImport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := ImportFile(ctx, b.config, Import{Path: b.file(importHead + "C1,Acme,1,\n"), Source: source("ar", "delta")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestAFileThatLostItsZerosIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	load := func(s config.ERPSource, text string) error {
		_, err := ImportFile(b.ctx, b.config, Import{Path: b.file("Co,No,Name,Balance\n" + text), Source: s})
		return err
	}
	s := source("ar", "delta")
	s.Columns["company"] = "Co"
	b.must(load(s, "01,0042,Acme,1\n01,43,Beta,2\n01,A07,Gamma,3\n"))
	before := len(b.records())
	for _, text := range []string{"1,42,Acme,1\n", "01,99,New,1\n01,42,Acme,1\n01,042,Acme,1\n", "1,43,Beta,2\n"} {
		var lost *LostZerosError
		var fault *SourceError
		if err := load(s, text); !errors.As(err, &lost) || !errors.As(err, &fault) || !strings.Contains(err.Error(), "zeros_may_change") {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if after := len(b.records()); after != before {
		t.Errorf("refused files wrote %d records", after-before)
	}
	// Zeros that come back, letters, another source, and both numbers at once are no damage.
	b.must(load(s, "01,043,Beta,2\n01,A7,Delta,3\n01,0042,Acme,1\n01,42,Other,1\n"))
	other := source("other", "delta")
	other.Columns["company"] = "Co"
	b.must(load(other, "1,0042,Acme,1\n"))
	s.ZerosMayChange = true
	b.must(load(s, "1,43,Beta,2\n"))
	if got := b.live(); !strings.Contains(got, "1/43=Beta") || !strings.Contains(got, "01/42=Other") {
		t.Errorf("the topic holds %s", got)
	}
}
