//go:build unix

package simulator

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"crosswalk/internal/simulator/org"
)

// discard is a response that goes nowhere, so that the benchmark measures the simulator alone.
type discard struct {
	header http.Header
	bytes  int64
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(b []byte) (int, error) {
	d.bytes += int64(len(b))
	return len(b), nil
}

func (d *discard) WriteHeader(int) {}

// processorTime is what the process has used of all cores: a machine that others use too does not blur it.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBulkResults writes pages of made-up contacts; MB/s is what one core serves. Sub-benchmarks: rows as the seed
// made them, rows that were changed since, and the same over loopback HTTP to a reader that drops them.
func BenchmarkBulkResults(b *testing.B) {
	const query = "SELECT Id, IsDeleted, AccountId, FirstName, LastName, Email, Phone, MobilePhone, MailingStreet, MailingCity, MailingPostalCode, MailingCountry, Title, Department, Birthdate, LeadSource, OwnerId, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp, Description FROM Contact"
	const rows = 100_000
	sim, err := New(Config{Org: org.Config{Seed: 1, Accounts: rows / 3, Contacts: rows}})
	if err != nil {
		b.Fatal(err)
	}
	token := sim.tokens.open(sim, "api", nil).token
	ask := func(method, path, body string) *http.Request {
		r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	start := func() string {
		w := httptest.NewRecorder()
		sim.Handler().ServeHTTP(w, ask("POST", "/services/data/v66.0/jobs/query", `{"operation":"query","query":"`+query+`"}`))
		id := sim.Jobs()[len(sim.Jobs())-1]
		sim.Handler().ServeHTTP(w, ask("GET", "/services/data/v66.0/jobs/query/"+id, ""))
		return "/services/data/v66.0/jobs/query/" + id + "/results"
	}
	serve := func(b *testing.B, path string) {
		b.ReportAllocs()
		before, bytes := processorTime(), int64(0)
		for b.Loop() {
			w := &discard{header: make(http.Header)}
			sim.Handler().ServeHTTP(w, ask("GET", path, ""))
			b.SetBytes(w.bytes)
			bytes += w.bytes
		}
		b.ReportMetric(float64(bytes)/1e6/(processorTime()-before).Seconds(), "MB/cpu-s")
		b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("seeded", func(b *testing.B) { serve(b, start()) })
	b.Run("loopback", func(b *testing.B) {
		srv := httptest.NewServer(sim.Handler())
		defer srv.Close()
		target, _ := url.Parse(srv.URL + start())
		b.ReportAllocs()
		for b.Loop() {
			r := ask("GET", target.Path, "")
			r.URL, r.RequestURI = target, ""
			r.Header.Set("Accept-Encoding", "identity")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			n, _ := io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			b.SetBytes(n)
		}
	})
	b.Run("gzip", func(b *testing.B) {
		path, plain := start(), &discard{header: make(http.Header)}
		sim.Handler().ServeHTTP(plain, ask("GET", path, ""))
		for b.Loop() {
			r := ask("GET", path, "")
			r.Header.Set("Accept-Encoding", "gzip")
			sim.Handler().ServeHTTP(&discard{header: make(http.Header)}, r)
			b.SetBytes(plain.bytes) // before compression
		}
	})
	b.Run("changed", func(b *testing.B) {
		for n := range uint64(rows) {
			if err := sim.Org().Update("Contact", org.MakeID("003", n+1), org.Fields{"Title": "changed"}); err != nil {
				b.Fatal(err)
			}
		}
		serve(b, start())
	})
}
