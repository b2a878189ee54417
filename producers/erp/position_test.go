package erp

import (
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
)

// TestADamagedPositionIsALostOne has positions that cannot be read, in every way: their bytes are dead letters, their sources are read from
// their beginnings, others' positions do not matter, and the epoch goes on rising.
func TestADamagedPositionIsALostOne(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(nil)
	u.write(`C1={"name":"Acme"}`)
	u.run()
	position := func(p avro.Position) []byte {
		p.Org, p.SchemaFields = "acme", map[string][]string{}
		s, err := takeOver(u.ctx, &u.config)
		u.must(err)
		defer s.writer.Close()
		value, err := p.Append(avro.Frame(nil, s.positionID))
		u.must(err)
		return value
	}
	for why, value := range map[string][]byte{
		"it begins with byte 0x6e":        []byte("no Avro at all"),
		"4711":                            avro.Frame(nil, 4711),
		"decode":                          position(avro.Position{Source: positionOf("legacy")})[:9],
		"it is the position of \"other\"": position(avro.Position{Source: "other"}),
		"":                                position(avro.Position{Source: positionOf("legacy"), Detail: map[string]string{positionOffsets: "{"}}),
	} {
		s, err := takeOver(u.ctx, &u.config)
		u.must(err)
		epoch := s.epoch + 40
		u.must(s.write(u.ctx,
			topic.Record{Topic: s.topics.position, Key: []byte("acme/erp/legacy"), Value: value},
			topic.Record{Topic: s.topics.position, Key: []byte("acme/stream"), Value: []byte("none of ours")},
			topic.Record{Topic: s.topics.position, Key: []byte("acme/erp"), Value: []byte("no Avro either"), Headers: u.kafka.Stamp(epoch, "acme", taskSource, "position.update", "acme/erp")}))
		s.writer.Close()
		before := len(u.letters())
		u.run()
		letters := u.letters()
		found := func(text string) bool {
			for place, reason := range letters {
				if strings.HasPrefix(place, u.config.topics().position+"/") && strings.Contains(reason, text) {
					return true
				}
			}
			return false
		}
		want := 2
		if why == "" { // what it says is no damage of the record
			want = 1
		}
		if len(letters)-before != want || !found(why) {
			t.Errorf("%q: %d dead letters came, want %d: %v", why, len(letters)-before, want, letters)
		}
		if s, err = takeOver(u.ctx, &u.config); err != nil || s.epoch <= epoch {
			t.Errorf("%q: the epoch is %d after %d, %v", why, s.epoch, epoch, err)
		}
		s.writer.Close()
	}
	if live := u.live(); live != "C1=Acme" || !slices.Equal(keysOf(u.records()), []string{"C1"}) {
		t.Errorf("the topic holds %s: %v", live, u.records())
	}
}

func keysOf(records []record) (keys []string) {
	for _, r := range records {
		keys = append(keys, r.key)
	}
	return keys
}
