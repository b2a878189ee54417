package matcher

import (
	"testing"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// TestStamp holds what is read of a record's headers: its version (R1), and of when it is.
func TestStamp(t *testing.T) {
	t.Parallel()
	written := time.UnixMilli(1763805600000)
	const earlier, later = "2025-11-22T09:59:59.000Z", "2025-11-22T10:00:01.500Z"
	for _, c := range []struct {
		what    string
		headers []string // name, value, name, value …
		version change.Version
		refused bool
		made    int64
	}{
		{"none", nil, change.Version{Epoch: 1, Rev: 7}, false, 1763805600000},
		{"a version", []string{"rev", "12", "epoch", "3"}, change.Version{Epoch: 3, Rev: 12}, false, 1763805600000},
		{"half a version", []string{"rev", "12"}, change.Version{}, true, 1763805600000},
		{"no number", []string{"epoch", "3", "rev", "x"}, change.Version{}, true, 1763805600000},
		{"when it was changed", []string{"ce_time", earlier}, change.Version{Epoch: 1, Rev: 7}, false, 1763805599000},
		{"when it was read", []string{"asof", "1763805590000"}, change.Version{Epoch: 1, Rev: 7}, false, 1763805590000},
		{"both", []string{"asof", "1763805590000", "ce_time", later}, change.Version{Epoch: 1, Rev: 7}, false, 1763805601500},
		{"neither can be read", []string{"asof", "now", "ce_time", "now"}, change.Version{Epoch: 1, Rev: 7}, false, 1763805600000},
	} {
		r := topic.Record{Offset: 7, Time: written}
		for i := 0; i < len(c.headers); i += 2 {
			r.Headers = append(r.Headers, topic.Header{Key: c.headers[i], Value: []byte(c.headers[i+1])})
		}
		s := stampOf(&r)
		v, err := s.version(r.Offset)
		if v != c.version || (err != nil) != c.refused {
			t.Errorf("%s: version is %v, %v", c.what, v, err)
		}
		if made := s.made(r.Time); made != c.made {
			t.Errorf("%s: made at %d, not %d", c.what, made, c.made)
		}
	}
}
