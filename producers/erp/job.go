package erp

import (
	"context"
	"errors"
	"fmt"
	"io"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/producers/erp/mapping"
	"crosswalk/producers/erp/rows"
)

// Result counts what an import did.
type Result struct {
	Rows            int    `json:"rows"`      // good ones
	Published       int    `json:"published"` // new or changed
	Unchanged       int    `json:"unchanged"`
	Deleted         int    `json:"deleted"`
	Rejected        int    `json:"rejected"`
	Skipped         int    `json:"skipped,omitempty"`          // left out because skip_rows says that they are no customers
	Guessed         bool   `json:"encoding_guessed,omitempty"` // taken as Windows-1252, by the look of its bytes
	RejectsFile     string `json:"rejects_file,omitempty"`
	DeletesWithheld string `json:"deletes_withheld,omitempty"` // why a full import deleted nothing
}

// SourceError is the fault of what was read, or of its mapping: trying again changes nothing until somebody corrects it.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap returns the fault itself.
func (e *SourceError) Unwrap() error { return e.Err }

// job is one reading of a source from begin to end. The source is read twice: first to know all its keys, rejects and
// faults, before anything of it is published (survey), then to publish (run). Both readings yield the same rows.
type job struct {
	cfg      *Config
	source   config.ERPSource
	name     string // of what is read, for people
	open     func() (rows.Reader, error)
	inHand   bool                        // all that is read is here: what cannot be read is the source's own fault
	columns  bool                        // a file: a column that no row has is a mistake in the mapping, and spreadsheets may have damaged numbers
	wants    string                      // the one key that may be read; empty: any
	full     bool                        // what is not named is deleted
	lastWins bool                        // of two rows of a customer the last counts; else the first, and the second is rejected
	reject   func(*rows.Reject) error    // told each rejected row, in order
	progress func(offset int64)          // may be nil
	before   func(context.Context) error // asked before anything is deleted; may be nil

	counts     map[string]int64 // key -> line of the row that counts for it
	unreadable int              // rejected rows without a key: anyone may be meant
	result     Result
}

// maxValue bounds an encoded customer, below what a broker takes.
const maxValue = 900_000

// survey reads everything and publishes nothing.
func (j *job) survey(ctx context.Context) error {
	j.counts = map[string]int64{}
	var body []byte
	err := j.scan(ctx, func(m *mapping.Mapper, r rows.Row, c *mapping.Customer) (err error) {
		key := c.Key()
		if j.wants != "" && key != j.wants {
			return m.Reject(r, "number", fmt.Sprintf("the customer is %q, but the address says %q", key, j.wants))
		}
		if line, twice := j.counts[key]; twice && line != damagedLine && !j.lastWins {
			return m.Reject(r, "number", fmt.Sprintf("customer %q stood already in line %d; only that one is taken", key, line))
		}
		if !c.Deleted {
			if body, err = c.Append(body[:0]); err != nil {
				return &rows.Reject{Line: r.Line, Reason: err.Error(), Raw: r.Raw()}
			}
			if len(body) > maxValue {
				return &rows.Reject{Line: r.Line, Reason: fmt.Sprintf("the customer has %d bytes, more than %d; leave columns out with attributes: none", len(body), maxValue), Raw: r.Raw()}
			}
		}
		j.counts[key] = r.Line
		j.result.Rows++
		return nil
	}, j.rejected)
	j.cfg.Metrics.rows.Add(float64(j.result.Rows + j.result.Rejected))
	return err
}

// rejected notes a row that was not taken. A damaged row is not a missing customer.
func (j *job) rejected(r *rows.Reject, key string) error {
	if key == "" {
		j.unreadable++
	} else if _, ok := j.counts[key]; !ok {
		j.counts[key] = damagedLine
	}
	j.result.Rejected++
	j.cfg.Metrics.rejected.Inc()
	j.cfg.Logger.Debug("ERP row rejected", "source", j.source.Name, "file", j.name, "line", r.Line, "column", r.Column, "reason", r.Reason)
	return j.reject(r)
}

// damagedLine stands for the line of a customer whose only row was rejected: no row counts.
const damagedLine = -1

// scan maps every row: good ones go to each, which may still reject them, bad ones to reject.
func (j *job) scan(ctx context.Context, each func(*mapping.Mapper, rows.Row, *mapping.Customer) error, reject func(*rows.Reject, string) error) error {
	r, err := j.open()
	if err != nil {
		return err
	}
	m, err := mapping.New(j.source, j.name, r)
	if err != nil {
		return &SourceError{err}
	}
	j.result.Guessed, j.result.Skipped = r.Guessed(), 0
	for ctx.Err() == nil {
		if j.progress != nil {
			j.progress(r.Offset())
		}
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			if err := m.Unseen(); err != nil && j.columns {
				return &SourceError{err}
			}
			return nil
		}
		key := ""
		var bad *rows.Reject
		switch {
		case err == nil:
			key, err = j.row(m, row, each)
		case j.inHand && !errors.As(err, &bad):
			err = &SourceError{err}
		}
		if errors.As(err, &bad) {
			err = reject(bad, key)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// row maps one row; key is that of a rejected one, as far as it can be told.
func (j *job) row(m *mapping.Mapper, row rows.Row, each func(*mapping.Mapper, rows.Row, *mapping.Customer) error) (key string, err error) {
	c, skipped, err := m.Map(row)
	if skipped {
		j.result.Skipped++
		return "", nil
	}
	if err == nil {
		err = each(m, row, c)
	}
	if err != nil {
		key = m.Key(row)
	}
	return key, err
}

// run publishes what survey has seen.
func (j *job) run(ctx context.Context, s *session) error {
	j.result.Published, j.result.Unchanged, j.result.Deleted, j.result.DeletesWithheld = 0, 0, 0, ""
	if j.columns && !j.source.ZerosMayChange {
		if lost := s.lostZeros(j.source.Name, j.counts); lost != nil {
			return &SourceError{lost}
		}
	}
	gone, err := j.toDelete(s)
	if err != nil {
		return err
	}
	b := s.begin(j.source.Name)
	if err := j.publish(ctx, b); err != nil {
		return err
	}
	if j.before != nil {
		if err := j.before(ctx); err != nil {
			return errors.Join(err, b.settle(ctx))
		}
	}
	for _, key := range gone {
		if err := j.remove(ctx, b, key); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	j.cfg.Metrics.lastImport.SetToCurrentTime()
	return nil
}

// toDelete decides, before anything is published, what a full list deletes.
func (j *job) toDelete(s *session) ([]string, error) {
	if !j.full {
		return nil, nil
	}
	if j.unreadable > 0 {
		j.result.DeletesWithheld = fmt.Sprintf("%d rejected rows have no readable customer number, so it is not known which customers are missing; correct them and import again", j.unreadable)
		return nil, nil
	}
	gone, err := s.gone(j.source.Name, func(key string) bool { _, ok := j.counts[key]; return ok }, *j.source.MaxDeleteShare)
	if err != nil {
		return nil, &SourceError{err}
	}
	return gone, nil
}

// publish sends the rows that count.
func (j *job) publish(ctx context.Context, b *batch) error {
	var value []byte
	return j.scan(ctx, func(_ *mapping.Mapper, r rows.Row, c *mapping.Customer) (err error) {
		key := c.Key()
		if j.counts[key] != r.Line {
			return nil // reported by the survey, or an older one
		}
		if c.Deleted {
			return j.remove(ctx, b, key)
		}
		if value, err = c.Append(avro.Frame(value[:0], b.s.schemaID)); err != nil {
			return nil // reported by the survey
		}
		published, err := b.put(ctx, key, value)
		switch {
		case err != nil:
		case published:
			j.result.Published++
		default:
			j.result.Unchanged++
			j.cfg.Metrics.unchanged.Inc()
		}
		return err
	}, func(*rows.Reject, string) error { return nil })
}

func (j *job) remove(ctx context.Context, b *batch, key string) error {
	deleted, err := b.remove(ctx, key)
	if deleted {
		j.result.Deleted++
	}
	return err
}
