package handover

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (s *script) expectTopic(want string) {
	latest := map[string]published{}
	for _, e := range s.topic {
		latest[e.key.ID] = e
	}
	got := make([]string, 0, len(latest))
	for _, id := range slices.Sorted(maps.Keys(latest)) {
		got = append(got, s.render(latest[id]))
	}
	var wants []string
	for _, row := range s.parseRows(want) {
		wants = append(wants, s.render(published{key: Key{entityOf(row.ID), row.ID}, values: row.Values}))
	}
	if !slices.Equal(got, wants) {
		s.t.Errorf("the topic has %v, want %v", got, wants)
	}
	s.checked = len(s.topic)
}

func (s *script) render(e published) string {
	if e.values == nil {
		return e.key.ID + "-"
	}
	out := e.key.ID + "{"
	for i, v := range e.values {
		out += s.schemas[e.key.Entity].Fields[i].Name + ":" + v.String() + ","
	}
	return strings.TrimSuffix(out, ",") + "}"
}

func (s *script) expectRecords(text string) {
	id, want, _ := strings.Cut(text, " ")
	n := 0
	for _, e := range s.topic {
		if e.key.ID == id {
			n++
		}
	}
	s.equal("records of "+id, strconv.Itoa(n), want)
}

func (s *script) expectNothing(string) {
	s.publish()
	if len(s.topic) != s.checked {
		s.t.Errorf("%v was published", s.topic[s.checked:])
	}
}

func (s *script) expectWanted(want string) {
	var got []string
	for entity, snap := range s.m.Snapshots() {
		if snap.Phase == Wanted {
			got = append(got, entity)
		}
	}
	slices.Sort(got)
	s.equal("wanted snapshots", strings.Join(got, " "), want)
}

func (s *script) expectReading(want string) {
	var got []string
	for k, o := range s.m.open {
		if o.want != 0 {
			got = append(got, k.ID)
		}
	}
	slices.Sort(got)
	s.equal("records to be read", strings.Join(got, " "), want)
}

func (s *script) expectPosition(want string) {
	s.equal("position", strconv.FormatInt(s.m.Position().ReplayID, 10), want)
}

func (s *script) expectEpoch(want string) {
	s.equal("epoch", strconv.FormatInt(s.m.Epoch(), 10), want)
}

func (s *script) equal(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
