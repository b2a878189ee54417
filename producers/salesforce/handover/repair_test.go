package handover

import (
	"testing"

	"crosswalk/internal/change"
)

// shelf is stored records in memory.
type shelf map[Key]Record

func (s shelf) Load(k Key) (Record, error)        { return s[k], nil }
func (s shelf) Store(k Key, r Record) error       { s[k] = r; return nil }
func (s shelf) Contacts(string) ([]string, error) { return nil, nil }

// TestWhatIsDamagedIsPublishedAgain finds a record damaged while the Machine runs, in each state that may be stored of it: it is refused until
// something is published of it above the version that was found, and not any longer.
func TestWhatIsDamagedIsPublishedAgain(t *testing.T) {
	t.Parallel()
	k, seen := Key{"Account", "001"}, change.Version{Epoch: 5, Rev: 9}
	values := func(a string) []change.Value {
		return []change.Value{change.StringValue(a), change.StringValue("b"), change.StringValue("p")}
	}
	row := Row{ID: "001"}
	for name, c := range map[string]struct {
		stored   Record
		answered bool // without a read
		row      Row
		state    State
	}{
		"unknown, live there":      {Record{}, false, row, Live},
		"unknown, gone there":      {Record{}, false, Row{ID: "001", Gone: true}, Deleted},
		"hollow":                   {Record{State: Live, Refused: true, Version: change.Version{Epoch: 1, Rev: 3}}, false, row, Live},
		"hollow, gone there":       {Record{State: Live, Refused: true}, false, Row{ID: "001", Gone: true}, Deleted},
		"live":                     {Record{State: Live, Values: values("before"), Version: change.Version{Epoch: 1, Rev: 3}}, true, row, Live},
		"refused by the broker":    {Record{State: Live, Refused: true, Values: values("now")}, true, row, Live},
		"deleted":                  {Record{State: Deleted, Version: change.Version{Epoch: 5, Rev: 12}}, true, Row{ID: "001", Gone: true}, Deleted},
		"deleted, and there again": {Record{State: Deleted}, true, row, Live},
	} {
		records := shelf{k: c.stored}
		m := New(Position{Epoch: 4, Lineage: 4, ReplayID: 40}, Config{Records: records, Seen: seen.Epoch})
		m.SetSchema(caseSchemas("a", "b", "parent")["Account"])
		answered, err := m.Damaged(k, seen)
		if err != nil || answered != c.answered || answered == records[k].Refused || answered == (len(m.Publications()) == 0) {
			t.Errorf("%s: answered %v, %v; stored is %+v", name, answered, err, records[k])
		}
		m.Require(k)
		read, ok := m.StartRead("Account", 1000, 10)
		if !ok {
			t.Errorf("%s: it is not read", name)
			continue
		}
		if err := m.Fetched(read.ID, []Row{{ID: "001", Unreadable: true}}); err != nil {
			t.Error(err)
		}
		if out := m.Publications(); len(out) > 0 || !answered && !records[k].Refused {
			t.Errorf("%s: published %v of a record that cannot be read, stored is %+v", name, out, records[k])
		}
		m.Require(k)
		read, _ = m.StartRead("Account", 2000, 10)
		if !c.row.Gone {
			c.row.Values = values("now")
		}
		if err := m.Fetched(read.ID, []Row{c.row}); err != nil {
			t.Error(err)
		}
		out := m.Publications()
		if len(out) == 0 && !answered {
			t.Errorf("%s: nothing is published of it", name)
		}
		for _, p := range out {
			if !seen.Less(p.Headers.Version) || !c.stored.Version.Less(p.Headers.Version) {
				t.Errorf("%s: published with %v, found was %v over %v", name, p.Headers.Version, seen, c.stored.Version)
			}
		}
		if now := records[k]; now.Refused || now.State != c.state || !seen.Less(now.Version) {
			t.Errorf("%s: stored is %+v", name, now)
		}
	}
}
