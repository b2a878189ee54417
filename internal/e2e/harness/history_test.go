package harness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
)

// record is one of a history, in a word: key, epoch.rev, pos, value ("-" is a tombstone), partition.
func record(t *testing.T, text string) topic.Record {
	t.Helper()
	var key, value string
	var epoch, rev, pos int64
	r := topic.Record{}
	if _, err := fmt.Sscanf(text, "%s %d.%d %d %s %d", &key, &epoch, &rev, &pos, &value, &r.Partition); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	r.Key = []byte(key)
	if value != "-" {
		r.Value = []byte(value)
	}
	for name, n := range map[string]int64{"epoch": epoch, "rev": rev, "pos": pos} {
		r.Headers = append(r.Headers, topic.Header{Key: name, Value: fmt.Append(nil, n)})
	}
	return r
}

func TestHistoryFindsWhatIsOutOfOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records []string
		output  bool
		want    string // in the one fault; "" for none
	}{
		"in order":                         {[]string{"a 1.1 5 x 0", "b 1.1 6 y 1", "a 1.2 5 z 0", "a 1.3 7 - 0", "a 2.1 3 x 0"}, false, ""},
		"rev falls":                        {[]string{"a 1.2 5 x 0", "a 1.1 5 x 0"}, false, "version {1 1} after {1 2}"},
		"epoch falls":                      {[]string{"a 2.1 5 x 0", "a 1.9 5 x 0"}, false, "version {1 9} after {2 1}"},
		"an input twice":                   {[]string{"a 1.1 5 x 0", "a 1.1 5 x 0"}, false, "version {1 1} twice"},
		"an output twice":                  {[]string{"a 1.1 5 x 0", "a 1.1 5 x 0"}, true, ""},
		"an output twice with other bytes": {[]string{"a 1.1 5 x 0", "a 1.1 5 y 0"}, true, "other bytes"},
		"pos falls":                        {[]string{"a 1.1 5 x 0", "a 1.2 4 y 0"}, false, "pos 4 after 5 in epoch 1"},
		"pos falls on a tombstone":         {[]string{"a 1.1 5 x 0", "a 1.2 4 - 0"}, false, "pos 4 after 5 in epoch 1"},
		"another partition":                {[]string{"a 1.1 5 x 0", "a 1.2 6 y 1"}, false, "partition 0 before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHistory("t", c.output)
			for _, text := range c.records {
				h.Add(record(t, text))
			}
			got := strings.Join(h.Faults, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
			if h.Records != len(c.records) {
				t.Errorf("%d records, want %d", h.Records, len(c.records))
			}
		})
	}
}

func TestHistoryCountsWhatLives(t *testing.T) {
	t.Parallel()
	h := NewHistory("t", false)
	for _, text := range []string{"a 1.1 5 x 0", "b 1.1 6 y 1", "a 1.2 7 - 0"} {
		h.Add(record(t, text))
	}
	repair := record(t, "b 1.2 6 z 1")
	repair.Headers = append(repair.Headers, topic.Header{Key: "op", Value: []byte("repair")})
	h.Add(repair)
	h.Add(topic.Record{Key: []byte("c"), Value: []byte("x")})
	if h.Live() != 2 || h.Tombstones != 1 || h.Repairs != 1 || len(h.Faults) != 1 || !strings.Contains(h.Faults[0], "no version") {
		t.Errorf("%d live, %d Tombstones, %d Repairs, faults %q", h.Live(), h.Tombstones, h.Repairs, h.Faults)
	}
}

func TestPositionsThatGoBackwardsAreFound(t *testing.T) {
	t.Parallel()
	replay := func(epoch, id int64) avro.Position {
		return avro.Position{Source: "stream", Epoch: epoch, ReplayID: &id}
	}
	covered := func(until int64) avro.Position {
		return avro.Position{Source: "notes/Note", Poll: &avro.Poll{CoveredUntil: &until}}
	}
	at := func(job, locator string, rows int64) avro.Position {
		return avro.Position{Source: "stream", Snapshots: []avro.Snapshot{{Entity: "Account", JobID: &job, Locator: &locator, RowsPublished: rows}}}
	}
	for name, c := range map[string]struct {
		positions []avro.Position
		want      string
	}{
		"forward":               {[]avro.Position{{Source: "stream", Epoch: 1}, replay(1, 5), replay(1, 5), replay(1, 9), replay(2, 3), covered(7), covered(8)}, ""},
		"replay id":             {[]avro.Position{replay(1, 5), replay(1, 4)}, "replay id went from 5 back to 4"},
		"replay id forgotten":   {[]avro.Position{replay(1, 5), {Source: "stream", Epoch: 1}}, "replay id went from 5 back to none"},
		"epoch":                 {[]avro.Position{replay(2, 5), replay(1, 6)}, "epoch went from 2 back to 1"},
		"covered time":          {[]avro.Position{covered(8), covered(7)}, "covered time went from 8 back to 7"},
		"pages in order":        {[]avro.Position{at("j", "", 0), at("j", "b", 10), at("j", "a", 20), at("k", "a", 0), at("k", "b", 5)}, ""},
		"a page comes back":     {[]avro.Position{at("j", "b", 10), at("j", "a", 20), at("j", "b", 20)}, "locator of Account went from a back to b"},
		"rows fall":             {[]avro.Position{at("j", "b", 10), at("j", "b", 9)}, "rows of Account went from 10 back to 9"},
		"a job comes back":      {[]avro.Position{at("j", "b", 10), at("k", "", 0), at("j", "b", 10)}, "job of Account went from k back to j"},
		"snapshot over":         {[]avro.Position{at("j", "b", 10), replay(0, 1)}, ""},
		"other sources are own": {[]avro.Position{replay(1, 9), {Source: "notes/Note", Epoch: 0}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := NewPositions()
			for _, next := range c.positions {
				p.Add(next, time.Time{})
			}
			got := strings.Join(p.Faults, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

func TestPositionAheadOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	when := func(ms int64) time.Time { return time.UnixMilli(ms) }
	p, h := NewPositions(), NewHistory("t", false)
	effect := func(key string, pos int64, op string, ms int64) {
		r := record(t, fmt.Sprintf("%s 1.%d %d x 0", key, ms, pos))
		r.Headers = append(r.Headers, topic.Header{Key: "op", Value: []byte(op)})
		r.Time = when(ms)
		h.Add(r)
	}
	position := func(replay, ms int64, open ...avro.Snapshot) {
		p.Add(avro.Position{Source: "stream", ReplayID: &replay, Snapshots: open}, when(ms))
	}
	effect("a", 5, "update", 10)
	position(5, 10)
	position(9, 20, avro.Snapshot{Entity: "Account"}) // a restart would begin at the window
	effect("b", 8, "update", 30)
	effect("a", 5, "refetch", 40) // shows no new event
	position(12, 50)
	effect("c", 13, "create", 60)
	if faults, effects := p.Ahead(h); len(faults) != 0 || effects != 3 {
		t.Errorf("%d effects, faults %q", effects, faults)
	}
	effect("d", 11, "delete", 70)
	if faults, _ := p.Ahead(h); len(faults) != 1 || !strings.Contains(faults[0], "shows event 11, 20ms after position 12 was stored") {
		t.Errorf("faults %q", faults)
	}
}
