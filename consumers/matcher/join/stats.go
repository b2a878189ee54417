package join

// Stats counts what the Engine holds and what is published.
type Stats struct {
	Live       [Customer + 1]int // live records by Kind
	Views      int               // matched ERP customers
	Ambiguous  int               // ambiguous groups
	Unmatched  [Customer + 1]int // reported records by Kind
	NearMisses int               // reported records that list near misses
	OnDisk     int               // live records whose values are in the log only
}

// Stats returns the present counts.
func (e *Engine) Stats() Stats { return e.stats }

func (s *Stats) count(k Kind, isLive bool) {
	if isLive {
		s.Live[k]++
	} else {
		s.Live[k]--
	}
}

func (s *Stats) published(e *Engine, t Topic, owner uint32, delta int) {
	switch t {
	case View:
		s.Views += delta
	case Ambiguous:
		s.Ambiguous += delta
	default:
		s.Unmatched[e.records.at(owner).kind] += delta
	}
}
