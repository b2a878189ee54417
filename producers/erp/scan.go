package erp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
)

// scanner reads a file of customers from its start to its end: good rows go to each, bad ones to reject.
type scanner struct {
	path   string
	source config.ERPSource
	each   func(c *avro.Customer, line int) error
	reject func(r *RejectError, key string) error // key is empty when the row's key could not be read
	bytes  func(total, done int64)                // progress; may be nil
}

// run stops at the first error of reading, of each or of reject.
func (s *scanner) run(ctx context.Context) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("open ERP file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open ERP file: %w", err)
	}
	t, err := openTable(s.path, f, s.source.Delimiter)
	if err != nil {
		return err
	}
	m, err := newMapper(s.source, s.path, t.header)
	if err != nil {
		return err
	}
	first := map[string]int{}
	for ctx.Err() == nil {
		if s.bytes != nil {
			s.bytes(info.Size(), t.in.InputOffset())
		}
		r, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := s.row(m, r, err, first); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// row takes one row or rejects it.
func (s *scanner) row(m *mapper, r row, err error, first map[string]int) error {
	var bad *RejectError
	if errors.As(err, &bad) {
		return s.reject(bad, "")
	}
	if err != nil {
		return err
	}
	c, err := m.customer(r)
	if errors.As(err, &bad) {
		return s.reject(bad, m.key(r))
	}
	if err != nil {
		return err
	}
	k := key(c)
	if line, twice := first[k]; twice {
		return s.reject(m.reject(r, "number", fmt.Sprintf("customer %q stood already in line %d; only that one is taken", k, line)), k)
	}
	first[k] = r.line
	return s.each(c, r.line)
}

// key returns the key of a row whose other members may be wrong, or "".
func (m *mapper) key(r row) string {
	number, err := m.member(r, "number")
	if err != nil || number.Str() == "" {
		return ""
	}
	company, err := m.member(r, "company")
	if err != nil {
		return ""
	}
	return key(&avro.Customer{Company: company.Str(), Number: number.Str()})
}
