package cometd_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator/cometd"
)

// FuzzMessages holds that any body is answered, in bounded time and space: with an HTTP refusal, or with a bounded JSON array
// of replies.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		strings.Replace(handshakeText, "%s", "1", 1),
		`[{"channel":"/meta/connect","clientId":"x","connectionType":"long-polling","advice":{"timeout":0}}]`,
		`[{"channel":"/meta/subscribe","clientId":"CLIENT","subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":-2}}}]`,
		`[{"channel":"/meta/subscribe","clientId":"CLIENT","subscription":["/data/ChangeEvents","/topic/x"]},{"channel":"/meta/connect","clientId":"CLIENT","connectionType":"long-polling"}]`,
		`[{"channel":"/meta/unsubscribe","clientId":"CLIENT","subscription":["","?"]}]`,
		`{"channel":["/meta/connect"],"id":{},"ext":{"replay":true},"advice":7}`,
		`[{"channel":"/meta/disconnect","clientId":"CLIENT"},{}]`,
		strings.Repeat(`{"a":`, 9000), "[" + strings.Repeat("{},", 50) + "{}]", "\x00", `{"channel":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o := setup(t, func(opt *cometd.Options) { opt.MaxHold, opt.Cookies = time.Nanosecond, cometd.CookiesOptional })
		o.update(1)
		c := o.client(t)
		c.handshake()
		w := c.post(strings.ReplaceAll(body, "CLIENT", c.id))
		switch w.Code {
		case 200:
			var replies []msg
			if err := json.Unmarshal(w.Body.Bytes(), &replies); err != nil || len(replies) == 0 || w.Body.Len() > 1<<20 {
				t.Errorf("%d bytes of reply: %v", w.Body.Len(), err)
			}
		case 400, 413:
		default:
			t.Errorf("HTTP %d %s", w.Code, w.Body)
		}
	})
}
