package handover

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"crosswalk/internal/change"
)

// script runs one case of testdata/cases.txt, which explains the steps.
type script struct {
	t        *testing.T
	m        *Machine
	topic    []published
	position Position
	schemas  map[string]*change.Schema
	events   []change.Event
	first    int // oldest retained event
	now      int64
	checked  int // records of the topic at the last expectation
	reads    map[string]Read
	fields   []string
}

func TestHandoverCases(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(text), "\n== ")[1:]
	for n := 1; n <= 30; n++ {
		if !slices.ContainsFunc(cases, func(c string) bool { return strings.HasPrefix(c, fmt.Sprintf("H-%02d ", n)) }) {
			t.Errorf("case H-%02d is missing", n)
		}
	}
	for _, c := range cases {
		name, steps, _ := strings.Cut(c, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{t: t, fields: []string{"a", "b", "parent"}, now: 1000, reads: map[string]Read{}}
			if strings.Contains(steps, "f:") {
				s.fields = append(s.fields, "f")
			}
			s.schemas = caseSchemas(s.fields...)
			for step := range strings.SplitSeq(steps, "\n") {
				if step != "" && !t.Failed() {
					s.step(step)
				}
			}
		})
	}
}

func caseSchemas(names ...string) map[string]*change.Schema {
	out := map[string]*change.Schema{}
	for _, entity := range []string{"Account", "Contact"} {
		var fields []change.Field
		for _, n := range names {
			fields = append(fields, change.Field{Name: n, ReadOnly: n == "f"})
		}
		out[entity] = change.NewSchema(entity, fields)
	}
	return out
}

func (s *script) step(line string) {
	s.t.Helper()
	s.now += 1000
	word, rest, _ := strings.Cut(line, " ")
	do := map[string]func(string){
		"S": s.subscribe, "J": s.job, "page": s.page, "end": s.end, "done": s.done, "steady": s.steady, "ev": s.event,
		"unseen": s.happens, "fetch": s.fetch, "got": s.got, "store": s.store, "crash": s.crash, "start": s.start,
		"redeliver": s.redeliver, "refused": s.refused, "purge": s.purge, "repair": s.repair, "late": s.late, "hide": s.hide,
		"link":  func(string) { s.m.RefetchEvents("Account", true) },
		"topic": s.expectTopic, "records": s.expectRecords, "nothing": s.expectNothing, "wanted": s.expectWanted,
		"reading": s.expectReading, "position": s.expectPosition, "epoch": s.expectEpoch,
	}[word]
	if do == nil {
		s.t.Fatalf("unknown step %q", line)
	}
	do(rest)
	s.publish()
}

func (s *script) machine(seen, target int64, disk map[Key]Record) {
	s.m = New(s.position, Config{Records: &caseRecords{memory{disk, map[Key]Record{}}}, SkipMargin: 500, Seen: seen, Target: target})
	for _, schema := range s.schemas {
		s.m.SetSchema(schema)
	}
}

// caseRecords finds Contacts by the field of this schema.
type caseRecords struct{ memory }

func (r *caseRecords) Contacts(account string) ([]string, error) {
	var ids []string
	for k, rec := range r.dirty {
		if k.Entity == "Contact" && rec.State == Live && slices.Contains(rec.Values, change.StringValue(account)) {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}

func (s *script) subscribe(string) {
	s.machine(0, 0, map[Key]Record{})
	s.m.Begin(s.now)
	s.store("")
	s.m.Subscribed(ReplayNew)
}

func (s *script) job(entity string) {
	s.m.OpenSnapshot(entity, s.now)
	s.store("")
}

func (s *script) steady(rows string) {
	s.subscribe("")
	for entity := range s.schemas {
		s.job(entity)
		var mine []string
		for _, r := range strings.Fields(rows) {
			if entityOf(r) == entity {
				mine = append(mine, r)
			}
		}
		s.page(strings.Join(mine, " "))
		s.end(entity)
		s.done(entity)
	}
	s.publish()
	s.store("")
	s.checked = len(s.topic)
}

func (s *script) page(rows string) {
	for _, row := range s.parseRows(rows) {
		s.must(s.m.Rows(entityOf(row.ID), []Row{row}))
	}
}

func (s *script) end(entity string) {
	s.m.Sweep(entity)
	for _, k := range slices.SortedFunc(maps.Keys(s.stored()), func(a, b Key) int { return strings.Compare(a.ID, b.ID) }) {
		if k.Entity == entity && s.m.Missing(k, s.stored()[k]) {
			s.m.Check(k)
		}
	}
}

func (s *script) stored() map[Key]Record {
	mem := s.m.records.(*caseRecords)
	all := maps.Clone(mem.disk)
	maps.Copy(all, mem.dirty)
	return all
}

func (s *script) done(entity string) {
	if !s.m.Swept(entity) {
		s.t.Fatalf("the sweep of %s still waits for %v", entity, s.m.unswept[entity])
	}
	s.m.CloseSnapshot(entity)
}

func (s *script) event(text string) {
	e := s.parseEvent(text)
	s.events = append(s.events, e)
	if s.m.First(e.ReplayID) {
		s.store("")
	}
	s.must(s.m.Event(&e))
}

func (s *script) happens(text string) { s.events = append(s.events, s.parseEvent(text)) }

func (s *script) parseEvent(text string) change.Event {
	kind, rest, _ := strings.Cut(text, " ")
	e := change.Event{ReplayID: int64(len(s.events)) + 1, CommitTimestamp: s.now, Type: change.EventType(kind)}
	if long, ok := map[string]change.EventType{
		"C": change.Create, "U": change.Update, "D": change.Delete, "UN": change.Undelete,
	}[kind]; ok {
		e.Type = long
	}
	if e.Type == change.GapOverflow {
		e.Entity, e.RecordIDs = rest, []string{EmptyID}
		return e
	}
	ids, fields, _ := strings.Cut(strings.TrimSuffix(rest, "}"), "{")
	e.RecordIDs, e.Entity, e.Fields = strings.Split(ids, ","), entityOf(ids), parseFields(fields)
	return e
}

func entityOf(id string) string {
	if strings.HasPrefix(id, "c") {
		return "Contact"
	}
	return "Account"
}

func parseFields(text string) map[string]change.Value {
	out := map[string]change.Value{}
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, v, _ := strings.Cut(f, ":")
		out[name] = change.StringValue(v)
		if v == "~" {
			out[name] = change.NullValue()
		}
	}
	return out
}

func (s *script) parseRows(text string) []Row {
	var rows []Row
	for _, word := range strings.Fields(text) {
		if id, ok := strings.CutSuffix(word, "-"); ok {
			rows = append(rows, Row{ID: id, Gone: true})
			continue
		}
		id, fields, _ := strings.Cut(strings.TrimSuffix(word, "}"), "{")
		given := parseFields(fields)
		row := Row{ID: id}
		for _, f := range s.schemas[entityOf(id)].Fields {
			v, ok := given[f.Name]
			if !ok {
				v = change.NullValue()
			}
			row.Values = append(row.Values, v)
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *script) fetch(string) {
	for _, entity := range []string{"Account", "Contact"} {
		if read, ok := s.m.StartRead(entity, s.now, 100); ok {
			s.reads[strconv.Itoa(len(s.reads)+1)] = read
		}
	}
}

func (s *script) got(text string) {
	n, rows, _ := strings.Cut(text, " ")
	s.must(s.m.Fetched(s.reads[n].ID, s.parseRows(rows)))
}

func (s *script) store(string) {
	s.publish()
	s.position = s.m.Position()
}

func (s *script) crash(string) {
	s.publish()
	s.m, s.reads = nil, map[string]Read{}
}

func (s *script) start(string) {
	disk := map[Key]Record{}
	var seen, target int64
	for _, e := range s.topic {
		disk[e.key] = e.record()
		seen, target = max(seen, e.version.Epoch), max(target, e.pos)
	}
	s.machine(seen, target, disk)
	from := s.position.Resume()
	s.m.Subscribed(from)
	s.deliver(from)
	if !s.m.CaughtUp() {
		s.t.Fatal("the machine has not caught up")
	}
}

func (s *script) deliver(from int64) {
	for i := range s.events[s.first:] {
		if e := s.events[s.first+i]; e.ReplayID > from {
			s.must(s.m.Event(&e))
		}
	}
}

func (s *script) redeliver(n string) {
	back, err := strconv.Atoi(n)
	s.must(err)
	from := int64(max(0, len(s.events)-back))
	s.m.Subscribed(from)
	s.deliver(from)
}

func (s *script) purge(string) { s.first = len(s.events) }

func (s *script) refused(string) { s.m.Lost(s.now, "replay id refused"); s.m.Subscribed(ReplayAll) }

func (s *script) repair(text string) {
	id, stamp, _ := strings.Cut(text, " ")
	modified, err := strconv.ParseInt(stamp, 10, 64)
	s.must(err)
	if k := (Key{entityOf(id), id}); NeedsRepair(s.stored()[k], change.Value{}, change.DatetimeValue(modified)) {
		s.m.Ask(k, ForRepair)
	}
}

func (s *script) late(text string) {
	row, version, _ := strings.Cut(text, " ")
	epoch, rev, _ := strings.Cut(version, ".")
	r := s.parseRows(row)[0]
	e := published{key: Key{entityOf(r.ID), r.ID}, values: r.Values, foreign: true}
	e.version.Epoch, _ = strconv.ParseInt(epoch, 10, 64)
	e.version.Rev, _ = strconv.ParseInt(rev, 10, 64)
	s.topic = append(s.topic, e)
	s.must(s.m.Foreign(e.key, e.record()))
}

func (s *script) hide(name string) {
	before := s.schemas
	s.schemas = caseSchemas(slices.DeleteFunc(s.fields, func(n string) bool { return n == name })...)
	for entity, schema := range s.schemas {
		s.m.SetSchema(schema)
		mem := s.m.records.(*caseRecords)
		for k, rec := range mem.dirty {
			if k.Entity == entity {
				rec.Values = Remap(rec.Values, before[entity], schema)
				mem.dirty[k] = rec
			}
		}
	}
}

func (s *script) publish() {
	if s.m == nil {
		return
	}
	for _, p := range s.m.Publications() {
		s.topic = append(s.topic, published{
			key: p.Key, version: p.Headers.Version, pos: p.Headers.Pos, asof: p.Headers.AsOf, commit: p.Meta.CommitTimestamp, values: p.Values,
		})
	}
}
