package salesforce

import (
	"slices"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/state"
	"crosswalk/producers/salesforce/handover"
)

// recordBench is stored Contacts without a producer around them.
type recordBench struct {
	t *testing.T
	*records
	schema *change.Schema
	codec  *avro.RowCodec
}

func setupRecords(t *testing.T) *recordBench {
	t.Helper()
	store, err := state.Open(t.TempDir(), state.SeparateValues(separateFrom))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	schema := change.NewSchema("Contact", []change.Field{{Name: "Id"}, {Name: "AccountId"}, {Name: "Title"}})
	codec, err := avro.NewRowCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{
		entities: map[string]*entity{"Contact": {name: "Contact", schema: schema, codec: codec, schemaID: 7}},
		codecs:   map[int]*avro.RowCodec{7: codec},
	}
	r := &records{ctx: t.Context(), loop: l, store: store, known: newBloom(), warm: newWarm(), step: map[handover.Key]*stored{}}
	return &recordBench{t, r, schema, codec}
}

func (b *recordBench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// save stores a Contact of an account, as a step that loads it first does.
func (b *recordBench) save(id, account, title string) {
	b.t.Helper()
	k := handover.Key{Entity: "Contact", ID: id}
	rec, err := b.Load(k)
	b.must(err)
	rec.State, rec.Version.Rev = handover.Live, rec.Version.Rev+1
	rec.Values = []change.Value{change.StringValue(account), change.StringValue(id), change.StringValue(title)}
	b.must(b.Store(k, rec))
	s := b.step[k]
	s.value, err = b.codec.Append(avro.Frame(nil, 7), change.Row{Schema: b.schema, ID: id, Values: rec.Values}, change.Meta{Op: change.OpUpdate})
	b.must(err)
}

// commit ends the step and returns how many bytes it wrote.
func (b *recordBench) commit() int {
	b.t.Helper()
	batch := b.store.NewBatch()
	b.flush(batch)
	size := batch.Size()
	b.must(batch.Commit())
	b.forget()
	return size
}

func (b *recordBench) of(account string, want ...string) {
	b.t.Helper()
	got, err := b.Contacts(account)
	b.must(err)
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		b.t.Errorf("contacts of %s: %q, want %q", account, got, want)
	}
	b.forget()
}

func TestContactsFollowTheirAccount(t *testing.T) {
	t.Parallel()
	b := setupRecords(t)
	b.save("003a", "001p", "one")
	b.save("003b", "001p", "one")
	first := b.commit()
	b.of("001p", "003a", "003b")
	b.save("003a", "001p", "two")
	b.save("003b", "001p", "two")
	if again := b.commit(); again >= first {
		t.Errorf("an update that leaves the account alone writes %d bytes, the first record %d: it writes the account's list again", again, first)
	}
	b.save("003a", "001q", "three")
	b.commit()
	b.of("001p", "003b")
	b.of("001q", "003a")
	b.save("003a", "001p", "four")
	b.save("003b", "001q", "four")
	b.save("003b", "001q", "five") // twice in a step
	b.commit()
	b.of("001p", "003a")
	b.of("001q", "003b")
}
