package salesforce_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// rot damages what comes from Salesforce, text by text of the same length: in result pages of Bulk, or everywhere.
type rot struct{ bulk, everywhere *strings.Replacer }

func (r rot) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Accept-Encoding")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, "/services/data/") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it is read
	text := r.everywhere.Replace(string(body))
	if strings.HasSuffix(req.URL.Path, "/results") {
		text = r.bulk.Replace(text)
	}
	resp.Body = io.NopCloser(bytes.NewReader([]byte(text)))
	return resp, err
}

// TestRowsThatCannotBeDecoded has rows of a snapshot that Bulk damages, that REST damages as well, and of which it is not to be told whose
// they are: the first is read by its id, the second waits for a person and is read when it is changed, the third waits for a backfill.
func TestRowsThatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 87, Accounts: 10}})
	ids := b.ids("Account")
	bulk, both, nobody := ids[2], ids[4], ids[6]
	for id, name := range map[string]string{bulk: "rots in bulk", both: "rots always", nobody: "quote here"} {
		b.must(b.sim.Org().Update("Account", id, org.Fields{"Name": name}))
	}
	var err error
	b.config.Client, err = sfapi.New(sfapi.Config{Tokens: b.config.Tokens, AllowAnyHost: true, PageRows: 50, HTTP: &http.Client{Transport: rot{
		bulk: strings.NewReplacer("rots in bulk", "rots in b\xfflk", "quote here", `quote"here`), everywhere: strings.NewReplacer("rots always", "rots \xfflways"),
	}}})
	b.must(err)
	p := b.start()
	state := func(id string) (out string) {
		for _, h := range b.holes("unreadable_row") {
			if h.Bounds != nil && (strings.Join(h.Bounds.IDs, " ") == id || id != "" && strings.Contains(strings.Join(h.Bounds.IDs, " "), id)) {
				out = h.State
			}
		}
		return out
	}
	b.await(p, func(s salesforce.Status) bool {
		return s.Phase == "streaming" && s.Holes == 2 && state(both) == "progressed" && state("") == "opened"
	})
	rows := b.published(accounts)
	if rows[bulk]["Name"] != "rots in bulk" || rows[both] != nil || rows[nobody] != nil || len(rows) != 8 {
		t.Errorf("published are %v, %v, %v of %d", rows[bulk]["Name"], rows[both], rows[nobody], len(rows))
	}
	for _, id := range []string{both, nobody} {
		b.must(b.sim.Org().Update("Account", id, org.Fields{"Name": "mended"}))
	}
	b.await(p, func(s salesforce.Status) bool { return s.Holes == 1 && state(both) == "closed" })
	b.ask("mend", avro.Backfill{Objects: []string{"Account"}})
	b.awaitBackfill(p, "mend", salesforce.BackfillDone)
	p.settle()
	b.compare("Account")
	if state("") != "closed" {
		t.Errorf("the hole of a row that is nobody's is %q", state(""))
	}
}
