package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"crosswalk/internal/bayeux"
)

// BenchmarkRun follows a channel on a real socket, whose every reply brings 200 events of about 600 bytes: the whole
// way of an event from the wire to the handler. cpu-ns/event holds the benchmark's server too.
func BenchmarkRun(b *testing.B) {
	const perReply = 200
	var events bytes.Buffer
	for i := range perReply {
		fmt.Fprintf(&events, `{"channel":%q,"data":{"schema":"V2MGwDA2aIP0yQS98S2L6Q","payload":{"ChangeEventHeader":{"entityName":"Contact",`+
			`"recordIds":["003Qk00000cOnTaIAK"],"changeType":"UPDATE","changedFields":["Description"]},"Description":%q},`+
			`"event":{"replayId":%d}}},`, contacts, strings.Repeat("what was said to the customer ", 12), i+1)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asks []ask
		if err := json.NewDecoder(r.Body).Decode(&asks); err != nil {
			b.Error(err)
			return
		}
		m := asks[0].good()
		if m["channel"] == onHandshake {
			m["clientId"], m["ext"] = "c1", object{"replay": true}
		}
		answer, _ := json.Marshal(m)
		body := []byte{'['}
		if m["channel"] == onConnect {
			body = append(body, events.Bytes()...)
		}
		_, _ = w.Write(append(append(body, answer...), ']'))
	}))
	b.Cleanup(server.Close)
	client, err := bayeux.New(bayeux.Config{
		URL: server.URL, HTTP: server.Client(), Token: func(context.Context, string) (string, error) { return "t", nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	left := b.N
	sub := bayeux.Subscription{Channel: contacts, Replay: func() int64 { return bayeux.ReplayAll }}
	b.SetBytes(int64(events.Len() / perReply))
	b.ResetTimer()
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	err = client.Run(ctx, []bayeux.Subscription{sub}, func(_ context.Context, batch []bayeux.Message) error {
		if left -= len(batch); left <= 0 {
			stop()
		}
		return nil
	})
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	if err != nil || left > 0 {
		b.Fatalf("Run = %v with %d events left", err, left)
	}
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/event")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
