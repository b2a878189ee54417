package matcher

import (
	"fmt"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// many is n Accounts with a Contact and an ERP customer each, under a version.
func many(n int, rev int64) (s conformance.Step) {
	for i := range n {
		a, e := fmt.Sprint("a", i), fmt.Sprint("e", i)
		s.Records = append(s.Records,
			record(join.Account, a, rev, customer.Fields{"X": fmt.Sprint("C", i), "Name": fmt.Sprint("account ", i, " of ", rev)}).Records[0],
			record(join.Contact, fmt.Sprint("c", i), rev, customer.Fields{"AccountId": conformance.ID(a)}).Records[0],
			record(join.Customer, e, rev, customer.Fields{"Y": fmt.Sprint("C", i), "Name": fmt.Sprint("customer ", i, " of ", rev)}).Records[0])
	}
	return s
}

// What follows from inputs that are decoded in pieces beside the taking of others is the same as ever, with all that can be
// wrong with an input in between.
func TestPiecesOfManyInputs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	inputs := p.names.inputs
	p.send(many(400, 7))
	old := many(20, 3)
	for _, r := range old.Records[:30] { // on their way twice, the old version late: stale
		value, err := p.frame(p.ctx, r.Schema(), r.Body())
		p.must(err)
		p.must(p.writer.Write(p.ctx, topic.Record{Topic: inputs[r.Kind-1], Key: []byte(r.Key), Value: value, Headers: versionHeaders(1, 3)}))
	}
	bad := []topic.Record{
		{Topic: inputs[0], Key: []byte(conformance.ID("a1")), Value: []byte("no frame"), Headers: versionHeaders(1, 8)},
		{Topic: inputs[1], Key: []byte(conformance.ID("c1")), Value: []byte{0, 0x7f, 0, 0, 0, 1}, Headers: versionHeaders(1, 8)},
		{Topic: inputs[3], Key: []byte("\xff\xfe"), Headers: versionHeaders(1, 8)},
	}
	p.must(p.writer.Write(p.ctx, bad...))
	for i := range 50 {
		p.send(record(join.Account, fmt.Sprint("a", 7*i), 9, nil))
	}
	p.put(many(100, 8))
	p.start()
	p.settled(false)
	p.check()
	p.wantDeadLetters(len(bad))
}

// TestPiecesAreOfInputs: no input may be decoded before a control record ahead of it is taken.
func TestPiecesAreOfInputs(t *testing.T) {
	t.Parallel()
	s := session{names: newNames("org")}
	batch := make([]topic.Record, 2*pieceOf+2)
	for i := range batch {
		batch[i].Topic = s.names.inputs[i%len(s.names.inputs)]
	}
	if !s.manyInputs(batch) {
		t.Error("a batch of many inputs is taken one by one")
	}
	if s.manyInputs(batch[2:]) {
		t.Error("a batch of few inputs is cut into pieces")
	}
	for _, other := range []string{s.names.control, s.names.outputs[0]} {
		batch[len(batch)/2].Topic = other
		if s.manyInputs(batch) {
			t.Errorf("a batch with a record of %s is cut into pieces", other)
		}
	}
}
