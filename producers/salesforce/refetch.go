package salesforce

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

const (
	readLimit    = 2000                   // ids in one call (facts 2.7)
	readPatience = 200 * time.Millisecond // how long a first id waits for others
	readsAtOnce  = 2                      // re-fetches of one entity in flight
)

// followReads starts the re-fetches that are due: a call is worth it when it is full, or somebody has waited enough.
func (l *loop) followReads(ctx context.Context, name string) {
	waiting := l.m.Waiting(name)
	if waiting == 0 {
		delete(l.wantedAt, name)
		return
	}
	if l.wantedAt[name].IsZero() {
		l.wantedAt[name] = time.Now()
	}
	if l.reading[name] >= readsAtOnce || waiting < readLimit && time.Since(l.wantedAt[name]) < readPatience {
		return
	}
	read, ok := l.m.StartRead(name, l.now(), readLimit)
	delete(l.wantedAt, name)
	if !ok {
		return
	}
	l.reading[name]++
	e := l.entities[name]
	l.group.Go(func() error { return l.refetch(ctx, e, read) })
}

// refetch reads records by id. Whatever comes of it, the loop is told.
func (l *loop) refetch(ctx context.Context, e *entity, read handover.Read) error {
	r, broken, err := l.retrieve(ctx, workNeeded, e, read.IDs)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		if err := l.refetchFailed(ctx, e, err); err != nil {
			return err
		}
		return l.do(ctx, func() error {
			l.reading[e.name]--
			l.m.Failed(read.ID)
			return nil
		})
	}
	if len(broken) > 0 { // perhaps a field has another type
		if err := l.describeAgain(ctx, e.name); err != nil {
			return err
		}
	}
	return l.do(ctx, func() error {
		l.reading[e.name]--
		if len(broken) > 0 && !l.entities[e.name].same(e) {
			l.m.Failed(read.ID)
			return nil
		}
		l.cfg.Metrics.refetched.Add(float64(len(read.IDs)))
		l.fit(r)
		for _, b := range broken {
			if err := l.unreadableRow(ctx, b, r); err != nil {
				return err
			}
		}
		before := l.m.Counts().Repaired
		err := l.m.Fetched(read.ID, r.list)
		for i := range r.list {
			if !r.list[i].Unreadable {
				l.sawAgain(e.name, r.list[i].ID)
			}
		}
		l.book.Read(e.name, read.IDs)
		l.repaired(ctx, l.m.Counts().Repaired-before, read)
		return err
	})
}

// brokenRow is a record that came and cannot be decoded.
type brokenRow struct {
	id  string
	why error
}

// retrieve reads records by id. A call that Salesforce finds too big is halved, until it names one record.
func (l *loop) retrieve(ctx context.Context, w work, e *entity, ids []string) (*rows, []brokenRow, error) {
	r, broken, err := l.retrieveAll(ctx, w, e, ids)
	if nextOf(err) != sfapi.NextNarrow || len(ids) == 1 {
		return r, broken, err
	}
	l.cfg.Logger.Warn("records could not be read in one call; half as many are asked for", "entity", e.name, "records", len(ids), "error", err)
	half := len(ids) / 2
	r, broken, err = l.retrieve(ctx, w, e, ids[:half])
	if err != nil {
		return nil, nil, err
	}
	others, alsoBroken, err := l.retrieve(ctx, w, e, ids[half:])
	if err != nil {
		return nil, nil, err
	}
	r.list = append(r.list, others.list...)
	return r, append(broken, alsoBroken...), nil
}

func (l *loop) retrieveAll(ctx context.Context, w work, e *entity, ids []string) (*rows, []brokenRow, error) {
	r := newRows(e, len(ids))
	var broken []brokenRow
	err := l.api(w).RetrieveRows(ctx, e.schema, ids, func(id string, row *change.Row, err error) error {
		switch {
		case err != nil:
			broken = append(broken, brokenRow{id, err})
		case row == nil:
			r.list = append(r.list, handover.Row{ID: id, Gone: true})
		case isDeleted(*row):
			r.list = append(r.list, handover.Row{ID: id, Gone: true})
		default:
			r.add(*row)
		}
		return nil
	})
	return r, broken, err
}

func isDeleted(row change.Row) bool { return row.Get("IsDeleted") == change.BoolValue(true) }

// unreadableRow keeps a known record as it is: what cannot be read is neither gone nor null. The hole stays open until the record can be
// read, or is deleted.
func (l *loop) unreadableRow(ctx context.Context, b brokenRow, r *rows) error {
	name := r.entity.name
	r.list = append(r.list, handover.Row{ID: b.id, Unreadable: true})
	var bad *sfapi.RowError
	raw := []byte(nil)
	if errors.As(b.why, &bad) {
		raw = []byte(bad.Raw)
	}
	l.noteUnreadable(ctx, name, b.id, b.why)
	return l.rejectRow(ctx, "read/"+name+"/"+b.id, raw, b.why)
}

// refetchFailed waits out what passes, and returns what does not. One record that is too much for a call may not be the next time; a
// column that is gone is described away.
func (l *loop) refetchFailed(ctx context.Context, e *entity, err error) error {
	next := nextOf(err)
	if next != sfapi.NextRetry && next != sfapi.NextNarrow && next != sfapi.NextDescribe {
		return err
	}
	l.cfg.Logger.Warn("records could not be read by id; they are asked for again", "entity", e.name, "error", err)
	if next == sfapi.NextDescribe {
		if err := l.describeAgain(ctx, e.name); err != nil {
			return err
		}
		if now, err := l.entity(ctx, e.name); err != nil || !now.same(e) {
			return err
		}
	}
	return retry.Sleep(ctx, l.cfg.ReadAgain)
}
