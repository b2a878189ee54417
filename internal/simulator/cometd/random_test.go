package cometd_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"crosswalk/internal/simulator/cometd"
)

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	if _, err := cometd.Random(1, 0.5, "busy", "nonsense"); err == nil || !strings.Contains(err.Error(), `"nonsense" is none of auth_empty, auth_error`) {
		t.Errorf("error %v", err)
	}
}

// TestKinds shows what a client sees of each ready-made fault.
func TestKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"auth_error":         `200 [{"channel":"/meta/connect","clientId":"CLIENT","advice":{"reconnect":"none"},"error":"401::Authentication invalid","successful":false}]`,
		"auth_reason":        `200 [{"channel":"/meta/connect","clientId":"CLIENT","ext":{"payload.format":true,"replay":true,"sfdc":{"failureReason":"401::Authentication invalid"}},"advice":{"reconnect":"none"},"error":"403::Handshake denied","successful":false}]`,
		"auth_empty":         `401 `,
		"busy":               `200 [{"channel":"/meta/connect","clientId":"CLIENT","ext":{"payload.format":true,"replay":true,"sfdc":{"failureReason":"503::Server is too busy.  Please try your request again later."}},"advice":{"reconnect":"none"},"error":"401::Authentication invalid","successful":false}]`,
		"unknown_client":     `200 [{"channel":"/meta/connect","clientId":"CLIENT","advice":{"interval":0,"reconnect":"handshake"},"error":"403::Unknown client","successful":false}]`,
		"unknown_client_402": `200 [{"channel":"/meta/connect","clientId":"CLIENT","advice":{"interval":0,"reconnect":"handshake"},"error":"402::Unknown client","successful":false}]`,
		"forgotten":          `200 [{"channel":"/meta/connect","clientId":"CLIENT","advice":{"interval":0,"reconnect":"handshake"},"error":"403::Unknown client","successful":false}]`,
		"disconnect":         `200 [{"channel":"/meta/disconnect","clientId":"CLIENT","successful":true},{"channel":"/meta/connect","clientId":"CLIENT","successful":true}]`,
		"delivery_limit":     `200 [{"channel":"/meta/connect","clientId":"CLIENT","error":"403::Organization total events daily limit exceeded","successful":false}]`,
		"forbidden_empty":    `403 `,
	} {
		o := setup(t, once("/meta/connect", cometd.Kinds[kind]))
		c := o.client(t)
		c.handshake()
		w := c.post(`{"channel":"/meta/connect","connectionType":"long-polling","clientId":"` + c.id + `"}`)
		if got := strings.ReplaceAll(statusAndBody(w), c.id, "CLIENT"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", kind, got, want)
		}
	}
	for _, kind := range []string{"html", "gateway_html", "auth_html"} {
		o := setup(t, once("/meta/handshake", cometd.Kinds[kind]))
		w := o.client(t).post(strings.Replace(handshakeText, "%s", "1", 1))
		if !strings.HasPrefix(w.Body.String(), "<html>") || w.Header().Get("Content-Type") != "text/html;charset=UTF-8" {
			t.Errorf("%s: %s", kind, statusAndBody(w))
		}
	}
}

func statusAndBody(w *httptest.ResponseRecorder) string {
	text, _ := json.Marshal(w.Code)
	return string(text) + " " + w.Body.String()
}

// follower is the simplest client that loses nothing: whatever goes wrong, it starts a new session after the last event that it has.
type follower struct {
	*client
	seen   []int64
	starts int
}

// try sends one message; nil means that anything went wrong.
func (f *follower) try(body string) (replies []msg) {
	defer func() {
		if recover() == http.ErrAbortHandler {
			replies = nil // the connection was dropped
		}
	}()
	w := f.post(body)
	d := json.NewDecoder(w.Body)
	d.UseNumber()
	if w.Code != http.StatusOK || d.Decode(&replies) != nil {
		return nil
	}
	f.seen = append(f.seen, replayIDs(replies)...)
	for _, m := range replies {
		if m["data"] == nil && !ok(m) || m["channel"] == "/meta/disconnect" {
			return nil
		}
	}
	return replies
}

// follow runs until the event named last is seen.
func (f *follower) follow(last int64) {
	for !slices.Contains(f.seen, last) {
		f.starts++
		replies := f.try(strings.Replace(handshakeText, "%s", "1", 1))
		if replies == nil {
			pass(second)
			continue
		}
		f.id = replies[0]["clientId"].(string)
		from := int64(-2)
		if len(f.seen) > 0 {
			from = f.seen[len(f.seen)-1]
		}
		option, _ := json.Marshal(from)
		connect := `{"channel":"/meta/connect","connectionType":"long-polling","clientId":"` + f.id + `"}`
		if f.try(connect) == nil || f.try(`{"channel":"/meta/subscribe","clientId":"`+f.id+`","subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":`+string(option)+`}}}`) == nil {
			continue
		}
		for !slices.Contains(f.seen, last) && f.try(connect) != nil {
			pass(second)
		}
	}
}

func TestRandomFaultsLoseNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			hook, err := cometd.Random(seed, 0.3)
			if err != nil {
				t.Fatal(err)
			}
			o := setup(t, func(opt *cometd.Options) { opt.Hook, opt.MaxBatch, opt.AnyReply = hook, 7, seed%2 == 1 })
			first := o.update(0)
			want := []int64{first}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := range 300 {
					pass(second / 3)
					want = append(want, o.update(n))
				}
			}()
			f := &follower{client: o.client(t)}
			f.follow(first)
			<-done
			f.follow(want[len(want)-1])
			if o.Stats().Faults < 10 || f.starts < 3 {
				t.Errorf("seed %d: only %d faults, %d sessions", seed, o.Stats().Faults, f.starts)
			}
			if !slices.Equal(f.seen, want) {
				t.Errorf("seed %d: %d events seen, want %d, each once", seed, len(f.seen), len(want))
			}
		})
	}
}
