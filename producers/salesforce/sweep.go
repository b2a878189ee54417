package salesforce

import (
	"context"

	"crosswalk/internal/retry"
	"crosswalk/producers/salesforce/handover"
)

// sweep has every stored record read that the snapshot did not show (H11).
func (l *loop) sweep(ctx context.Context, name string, j *job, asof int64) error {
	var keys []handover.Key
	prefix := recordPrefix + name + "/"
	err := l.store.Scan([]byte(prefix), func(key, value []byte) error {
		s, err := parseStored(value)
		if err != nil {
			return err
		}
		if s.State == handover.Live && s.AsOf < asof {
			keys = append(keys, handover.Key{Entity: name, ID: string(key[len(prefix):])})
		}
		if len(keys) < readLimit {
			return nil
		}
		chunk := keys
		keys = nil
		return l.check(ctx, chunk)
	})
	if err != nil {
		return err
	}
	if err := l.check(ctx, keys); err != nil {
		return err
	}
	return l.do(ctx, func() error { j.scanned = true; return nil })
}

// check has a chunk of records looked at, and waits while too many are to be read.
func (l *loop) check(ctx context.Context, keys []handover.Key) error {
	if len(keys) > 0 {
		if err := l.governor.wait(ctx, workSnapshot); err != nil { // what is checked is read by id, as what events need
			return err
		}
	}
	for wait := false; ; wait = true {
		if wait {
			if err := retry.Sleep(ctx, tick); err != nil {
				return err
			}
		}
		full := false
		err := l.do(ctx, func() error {
			if len(keys) == 0 {
				return nil
			}
			if full = l.m.Waiting(keys[0].Entity) > readLimit; full {
				return nil
			}
			for _, k := range keys {
				rec, err := l.records.Load(k)
				if err != nil {
					return err
				}
				if _, open := l.m.Snapshots()[k.Entity]; open && l.m.Missing(k, rec) {
					l.m.Check(k)
				}
			}
			return nil
		})
		if err != nil || !full {
			return err
		}
	}
}

// closeSnapshot ends a snapshot: the topic equals the org as of its window, and what came since.
func (l *loop) closeSnapshot(ctx context.Context, name string) error {
	done := l.m.CloseSnapshot(name)
	l.feeds[name].reach(done.AsOf)
	j := l.jobs[name]
	delete(l.jobs, name)
	l.asked.closed[name], l.asked.rows[name] = done.AsOf, j.Rows
	l.snapshotClosed(ctx, name, done, j)
	if j.ID != restJob {
		l.dropJob(j.ID, workSnapshot)
	}
	if err := l.commit(ctx); err != nil {
		return err
	}
	return l.storePosition(ctx, true)
}
