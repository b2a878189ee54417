package erp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"crosswalk/internal/config"
	"crosswalk/producers/erp/rows"
)

// query is a source that asks a PostgreSQL database again and again.
//
// With a cursor column a poll asks for the rows from the last cursor on, less an overlap, because a transaction may commit a row
// whose time lies before those that are visible already; rows without a cursor come with every poll. A poll sees one snapshot
// of the database. The cursor is stored once everything before it is acknowledged. All rows are asked for when no cursor is
// stored, and every full_every with mode full, which finds the deletions.
type query struct {
	p      *Producer
	source config.ERPSource
	pg     *pgx.ConnConfig

	whole   time.Time      // when all rows were compared last
	refused map[string]int // letters written in the last poll: a row that stays wrong is not written again and again
}

// newQuery checks the address.
func newQuery(p *Producer, source config.ERPSource) (*query, error) {
	pg, err := pgx.ParseConfig(source.Postgres.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("source %q: postgres.url is no address; write postgres://user:password@host:5432/database", source.Name)
	}
	if pg.ConnectTimeout == 0 {
		pg.ConnectTimeout = 10 * time.Second
	}
	for name, value := range map[string]string{
		"timezone": "UTC", "datestyle": "ISO, MDY", "extra_float_digits": "1", "client_encoding": "UTF8", "application_name": "crosswalk",
		"bytea_output": "hex",
	} {
		pg.RuntimeParams[name] = value
	}
	return &query{p: p, source: source, pg: pg, refused: map[string]int{}}, nil
}

// Run polls until ctx ends.
func (q *query) Run(ctx context.Context) error {
	return q.p.repeat(ctx, q.source.Postgres.Interval, func(ctx context.Context) error {
		r, err := q.poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		q.p.report(q.source.Name, r, err)
		if err == nil && r.Published+r.Deleted+r.Rejected > 0 {
			q.p.logResult(q.source.Name, "", r)
		}
		return err
	})
}

// Cursor members of the stored position.
const (
	cursorValue = "cursor" // its text, as PostgreSQL writes it
	cursorQuery = "query"  // the query and the column that it is of
)

// poll reads once and publishes.
func (q *query) poll(ctx context.Context) (r Result, err error) {
	from := ""
	// The cursor is known to the owner of the topic only.
	err = q.p.publisher.do(ctx, func(_ context.Context, s *session) error {
		if c := s.cursor(q.source.Name); c[cursorQuery] == q.identity() {
			from = c[cursorValue]
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	full := q.source.Mode == "full" && (q.source.Postgres.Cursor == "" || time.Since(q.whole) >= q.source.Postgres.FullEvery)
	if full {
		from = ""
	}
	began := time.Now()
	conn, err := pgx.ConnectConfig(ctx, q.pg)
	if err != nil {
		return r, q.readable("connect to PostgreSQL", err)
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = conn.Close(ending)
	}()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return r, q.readable("begin to read PostgreSQL", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	read := &reading{q: q, tx: tx, from: from, full: full}
	r, err = read.publish(ctx)
	if err == nil && from == "" {
		q.whole = began
	}
	return r, err
}

// identity tells whether a stored cursor is one of this query.
func (q *query) identity() string { return q.source.Postgres.Cursor + "\n" + q.source.Postgres.Query }

// readable turns an error of the driver into one sentence without the password.
func (q *query) readable(what string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Errorf("%s for source %q: %s (SQLSTATE %s); correct postgres of the source", what, q.source.Name, pg.Message, pg.Code)
	}
	if password := q.pg.Password; password != "" {
		text := strings.ReplaceAll(err.Error(), password, "***")
		err = errors.New(strings.ReplaceAll(text, url.QueryEscape(password), "***"))
	}
	return fmt.Errorf("%s at %s:%d for source %q: %w; see whether it runs and lets this machine in", what, q.pg.Host, q.pg.Port, q.source.Name, err)
}

// reading is one poll within its snapshot.
type reading struct {
	q    *query
	tx   pgx.Tx
	from string // cursor; empty: all rows
	full bool
	last string // cursor of the last row
	open *resultRows
}

// publish runs the poll's job and stores the cursor.
func (r *reading) publish(ctx context.Context) (Result, error) {
	var letters []*rows.Reject
	j := &job{
		cfg: &r.q.p.cfg, source: r.q.source, name: fmt.Sprintf("the query of source %q", r.q.source.Name), full: r.full,
		reject: func(x *rows.Reject) error { letters = append(letters, x); return nil },
	}
	j.open = func() (_ rows.Reader, err error) {
		r.close()
		r.open, err = r.start(ctx)
		return r.open, err
	}
	defer r.close()
	if err := j.survey(ctx); err != nil {
		return j.result, err
	}
	last, err := r.end(ctx)
	if err != nil {
		return j.result, err
	}
	err = r.q.p.publisher.do(ctx, func(ctx context.Context, s *session) error {
		if err := j.run(ctx, s); err != nil {
			return err
		}
		if err := r.q.refuse(ctx, s, letters); err != nil || last == "" || last == r.from {
			return err
		}
		return s.store(ctx, positionOf(r.q.source.Name), map[string]string{cursorValue: last, cursorQuery: r.q.identity()})
	})
	return j.result, err
}

func (r *reading) close() {
	if r.open != nil {
		r.open.rows.Close()
		r.open = nil
	}
}

// start sends the query.
func (r *reading) start(ctx context.Context) (*resultRows, error) {
	p := r.q.source.Postgres
	text := strings.TrimRight(strings.TrimSpace(p.Query), ";")
	var args []any
	cursor := -1
	if p.Cursor != "" {
		described, err := r.tx.Prepare(ctx, "", text)
		if err != nil {
			return nil, r.q.readable("prepare the query", err)
		}
		for i, f := range described.Fields {
			if f.Name == p.Cursor {
				cursor = i
			}
		}
		if cursor < 0 {
			var names []string
			for _, f := range described.Fields {
				names = append(names, f.Name)
			}
			return nil, fmt.Errorf("the query of source %q has no column %q, which postgres.cursor names; its columns are: %s", r.q.source.Name, p.Cursor, strings.Join(names, ", "))
		}
		column := "crosswalk." + pgx.Identifier{p.Cursor}.Sanitize()
		condition := ""
		if r.from != "" {
			var bound string
			if bound, args, err = lower(p, described.Fields[cursor].DataTypeOID, r.from); err != nil {
				return nil, fmt.Errorf("source %q: %w", r.q.source.Name, err)
			}
			condition = " WHERE " + column + " >= " + bound + " OR " + column + " IS NULL"
		}
		text = "SELECT * FROM (" + text + "\n) AS crosswalk" + condition + " ORDER BY " + column + " NULLS FIRST"
	}
	args = append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)
	found, err := r.tx.Query(ctx, text, args...)
	if err != nil {
		return nil, r.q.readable("ask PostgreSQL", err)
	}
	return newResultRows(r, found, cursor), nil
}

// The types of a cursor.
const (
	oidInt8, oidInt2, oidInt4, oidNumeric      = 20, 21, 23, 1700
	oidDate, oidTimestamp, oidTimestampTZ      = 1082, 1114, 1184
	defaultOverlapTime, defaultOverlapDistance = "5m", "1000"
)

// lower is the SQL of the cursor less the overlap.
func lower(p config.Postgres, oid uint32, from string) (bound string, args []any, err error) {
	overlap := p.Overlap
	switch oid {
	case oidTimestamp, oidTimestampTZ, oidDate:
		if overlap == "" {
			overlap = defaultOverlapTime
		}
		d, err := time.ParseDuration(overlap)
		if err != nil {
			return "", nil, fmt.Errorf("postgres.overlap %q is no duration, but the cursor is a time; write 5m", overlap)
		}
		return "$1::text::timestamptz - make_interval(secs => $2)", []any{from, d.Seconds()}, nil
	case oidInt2, oidInt4, oidInt8, oidNumeric:
		if overlap == "" {
			overlap = defaultOverlapDistance
		}
		if _, err := strconv.ParseUint(overlap, 10, 63); err != nil {
			return "", nil, fmt.Errorf("postgres.overlap %q is no whole number, but the cursor is one; write 1000", overlap)
		}
		return "$1::text::numeric - $2::text::numeric", []any{from, overlap}, nil
	}
	return "", nil, fmt.Errorf("the cursor %q is neither a time nor a number; choose another column, or leave postgres.cursor out to compare all rows at each poll", p.Cursor)
}

// end returns the cursor to store: that of the last row, but no time that is still to come, which would hide what happens
// until then.
func (r *reading) end(ctx context.Context) (string, error) {
	last, oid := r.last, uint32(0)
	if r.open != nil {
		oid = r.open.oid
	}
	r.close()
	switch oid {
	case oidTimestamp, oidTimestampTZ, oidDate:
	default:
		return last, nil
	}
	if last == "" {
		return "", nil
	}
	var capped string
	err := r.tx.QueryRow(ctx, "SELECT least($1::text::timestamptz, now())::text", last).Scan(&capped)
	if err != nil {
		return "", r.q.readable("ask PostgreSQL for its time", err)
	}
	return capped, nil
}

// refuse writes dead letters for rows that could not be taken, once for each row that stays as it is.
func (q *query) refuse(ctx context.Context, s *session, letters []*rows.Reject) error {
	now := map[string]int{}
	for n, x := range letters {
		id := x.Column + "\n" + x.Reason + "\n" + x.Raw
		now[id] = n
		if _, known := q.refused[id]; known {
			continue
		}
		key := positionOf(q.source.Name) + "/" + fmt.Sprintf("%x", digestOf([]byte(x.Raw)))
		if err := s.refuse(ctx, q.source.Name, key, x.Column, x.Reason, []byte(x.Raw)); err != nil {
			return err
		}
	}
	q.refused = now
	return nil
}
