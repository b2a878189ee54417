package matcher

import (
	"context"
	"slices"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/topic"
)

// takeEach takes one record after the other.
func (s *session) takeEach(ctx context.Context, records []topic.Record) error {
	for i := range records {
		if i%join.AheadOf == 0 {
			s.ahead(records[i:])
		}
		if err := s.take(ctx, &records[i]); err != nil {
			return err
		}
	}
	return nil
}

// Of a batch of many inputs, decoding takes about as long as all the rest of taking them: pieces of it are decoded beside the
// taking of the pieces before. A control record in between could change under which link inputs have to be read, and a
// batch with one is taken record by record. It costs CPU to save time, which counts while the state is built from the topics.
const (
	pieceOf     = 256
	piecesAhead = 4
	piecesInUse = piecesAhead + 2 // those that wait, the one that is decoded, and the one that is taken
)

// piece is a part of a batch that has been decoded.
type piece struct {
	records []topic.Record
	read    []read // of each record
	room    []byte // for what the readings need
}

type read struct {
	input   join.Input
	made    int64 // when the change that it tells of was made
	reading join.Reading
	err     error // the record is no input that the join could be given
}

// manyInputs reports whether a batch is inputs, and so many that they are worth a second goroutine.
func (s *session) manyInputs(records []topic.Record) bool {
	return len(records) > 2*pieceOf && !slices.ContainsFunc(records, func(r topic.Record) bool { return s.names.kind(r.Topic) == 0 })
}

// takePieces takes inputs while others are decoded. It returns when both have ended.
func (s *session) takePieces(ctx context.Context, records []topic.Record) error {
	pieces, stop := make(chan piece, piecesAhead), make(chan struct{})
	go func() {
		defer close(pieces)
		for part := range slices.Chunk(records, pieceOf) {
			var p piece
			select {
			case p = <-s.spent:
			default:
			}
			s.decode(&p, part)
			select {
			case pieces <- p:
			case <-stop:
				return
			}
		}
	}()
	var err error
	for p := range pieces {
		if err != nil {
			continue // until the decoding has ended
		}
		if err = s.takePiece(ctx, p); err != nil {
			close(stop)
		}
		s.spent <- p
	}
	return err
}

// decode reads a part of a batch. It runs beside takePiece, and may use only what join.Engine.Read may.
func (s *session) decode(p *piece, part []topic.Record) {
	p.records, p.read, p.room = part, p.read[:0], p.room[:0]
	for i := range part {
		var x read
		x.input, x.made, x.err = inputOf(s.names.kind(part[i].Topic), &part[i])
		if x.err == nil {
			x.reading, p.room = s.engine.Read(x.input, p.room)
		}
		p.read = append(p.read, x)
	}
}

func (s *session) takePiece(ctx context.Context, p piece) error {
	for i := range p.read {
		if i%join.AheadOf == 0 {
			s.ahead(p.records[i:])
		}
		x, kind, verdict := &p.read[i], s.names.kind(p.records[i].Topic), join.Refused
		err := x.err
		if err == nil {
			verdict, err = s.engine.Take(x.input, x.reading)
		}
		if err := s.judge(ctx, kind, &p.records[i], x.made, verdict, err); err != nil {
			return err
		}
	}
	return nil
}
