package salesforce

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/producers/salesforce/handover"
)

// sweepRange is how many of our records are compared at a time, unless the configuration says otherwise: the ids of the org
// in their range are held as hashes of 8 bytes, so that a census takes 8 MB whatever the org's size, and goes on at the range
// where it was interrupted.
const sweepRange = 1_000_000

// census compares all ids of an entity with what is stored (facts 5.4: no event tells of what is deleted for good). What
// the org does not list is read by id, which alone decides: a record may have been created meanwhile. The Contacts of an
// Account that is gone are read, too (H17).
func (l *loop) census(ctx context.Context, name string) error {
	start, err := l.serverTime(ctx)
	if err != nil {
		return err
	}
	var before map[string]int64
	after := ""
	err = l.do(ctx, func() error {
		f := l.feeds[name]
		if f.SweepFrom == 0 {
			f.SweepFrom, f.SweepAfter = start.UnixMilli(), ""
			l.moved = true
		}
		after, before = f.SweepAfter, l.foundBySweep()
		return nil
	})
	for err == nil {
		var last string
		var more bool
		if last, more, err = l.censusOf(ctx, name, after, start); err != nil || !more {
			break
		}
		after = last
		err = l.do(ctx, func() error { l.feeds[name].SweepAfter, l.moved = last, true; return nil })
	}
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		f := l.feeds[name]
		f.Swept, f.SweepFrom, f.SweepAfter, l.due = f.SweepFrom, 0, "", true
		l.tellCensus(ctx, name, before)
		return nil
	})
}

// foundBySweep is how many records of each entity were deleted because of a census.
func (l *loop) foundBySweep() map[string]int64 {
	found := map[string]int64{}
	for _, name := range entities {
		found[name] = l.m.Found(name, handover.ForSweep)
	}
	return found
}

// tellCensus says what a census has found: nothing, as a rule.
func (l *loop) tellCensus(ctx context.Context, name string, before map[string]int64) {
	f := l.feeds[name]
	detail := map[string]string{}
	var words []string
	for of, n := range l.foundBySweep() {
		if n -= before[of]; n > 0 {
			detail[of] = strconv.FormatInt(n, 10)
			words = append(words, fmt.Sprintf("%d of %s", n, of))
			l.cfg.Metrics.swept.WithLabelValues(of).Add(float64(n))
		}
	}
	message := "all ids of " + name + " were compared: none is missing in the org"
	if len(words) > 0 {
		slices.Sort(words)
		message = "all ids of " + name + " were compared: records were deleted for good without an event: " + strings.Join(words, ", ")
		l.cfg.Logger.Warn(message, "entity", name)
	}
	reason := "scheduled"
	l.writeAudit(ctx, avro.Audit{
		ID: fmt.Sprintf("%s/%s/sweep-%d", l.org(), name, f.Swept), Kind: auditSweep, State: "noted", OpenedAt: nullable(f.Swept),
		Subject: &name, Reason: &reason, Message: message, Detail: detail,
	})
}

// errEnough and errBehind end a scan.
var (
	errEnough = errors.New("enough")
	errBehind = errors.New("behind the range")
)

// censusOf compares the ids behind after, as many as fit into one range. more says that records follow behind last.
func (l *loop) censusOf(ctx context.Context, name, after string, start time.Time) (last string, more bool, err error) {
	records := 0
	err = l.scanLive(name, after, "", func(id string, _ handover.Record) error {
		if records == l.cfg.SweepRange {
			more = true
			return errEnough
		}
		last = id
		records++
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "", false, err
	}
	upTo := ""
	if more {
		upTo = last
	}
	listed := newHashes(records)
	err = l.list(ctx, listing{
		entity: name, schema: change.NewSchema(name, []change.Field{{Name: "Id"}}), clause: between(after, upTo), bulk: records > l.cfg.ListJob, work: workSweep,
	}, func(rows []change.Row) error {
		for _, row := range rows {
			listed.add(row.ID)
		}
		return nil
	})
	if err != nil {
		return "", false, err
	}
	listed.sort()
	var keys []handover.Key
	err = l.scanLive(name, after, upTo, func(id string, rec handover.Record) error {
		if max(rec.AsOf, rec.Commit) < start.UnixMilli() && !listed.has(id) {
			keys = append(keys, handover.Key{Entity: name, ID: id})
		}
		if len(keys) < listChunk {
			return nil
		}
		chunk := keys
		keys = nil
		return l.ask(ctx, name, handover.ForSweep, func() ([]handover.Key, error) { return chunk, nil })
	})
	if err == nil {
		err = l.ask(ctx, name, handover.ForSweep, func() ([]handover.Key, error) { return keys, nil })
	}
	for _, of := range entities {
		if err == nil {
			err = l.resolved(ctx, of, handover.ForSweep)
		}
	}
	return last, more, err
}

// between is the condition for the ids behind after and up to upTo; an empty one is no bound.
func between(after, upTo string) string {
	var terms []string
	if after != "" {
		terms = append(terms, "Id > '"+after+"'")
	}
	if upTo != "" {
		terms = append(terms, "Id <= '"+upTo+"'")
	}
	if terms == nil {
		return ""
	}
	return "WHERE " + strings.Join(terms, " AND ")
}

// scanLive calls fn with every stored live record behind after and up to upTo, in the order of their ids, without its
// values.
func (l *loop) scanLive(name, after, upTo string, fn func(id string, rec handover.Record) error) error {
	prefix := recordPrefix + name + "/"
	err := l.store.ScanFrom([]byte(prefix), []byte(prefix+after), func(key, value []byte) error {
		id := string(key[len(prefix):])
		if id == after {
			return nil
		}
		if upTo != "" && id > upTo {
			return errBehind
		}
		s, err := parseStored(value)
		if err != nil || s.State != handover.Live {
			return err
		}
		return fn(id, s.Record)
	})
	if errors.Is(err, errBehind) {
		return nil
	}
	return err
}

// hashes is a set of ids of 8 bytes each. Its seed is its own, so that two ids which one census takes for one another are
// told apart by the next.
type hashes struct {
	seed maphash.Seed
	sums []uint64
}

func newHashes(n int) *hashes { return &hashes{seed: maphash.MakeSeed(), sums: make([]uint64, 0, n)} }

func (h *hashes) add(id string) { h.sums = append(h.sums, maphash.String(h.seed, id)) }

// sort must be called between the last add and the first has.
func (h *hashes) sort() { slices.Sort(h.sums) }

func (h *hashes) has(id string) bool {
	_, ok := slices.BinarySearch(h.sums, maphash.String(h.seed, id))
	return ok
}
