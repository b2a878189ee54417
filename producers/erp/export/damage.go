package export

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Damaged is an export with one row of each kind of damage, each between two good ones.
type Damaged struct {
	Good  []string // numbers of the customers that must arrive
	Kinds int      // of damage
	text  strings.Builder
	lines int
	want  [][3]string // line, column, part of the reason
}

// Text returns the file, as UTF-8.
func (d *Damaged) Text() string { return d.text.String() }

// Check compares the rows of a rejects file, without its header, with what must be there.
func (d *Damaged) Check(rejects [][]string) error {
	var wrong []error
	if len(rejects) != len(d.want) {
		wrong = append(wrong, fmt.Errorf("%d rejects, want %d", len(rejects), len(d.want)))
	}
	for i, r := range rejects[:min(len(rejects), len(d.want))] {
		if w := d.want[i]; r[0] != w[0] || r[1] != w[1] || !strings.Contains(r[2], w[2]) {
			wrong = append(wrong, fmt.Errorf("reject %d is %.200q, want %q", i, r[:3], w))
		}
	}
	return errors.Join(wrong...)
}

func (d *Damaged) add(text string) (line int) {
	line = d.lines + 1
	d.text.WriteString(text + "\n")
	d.lines += strings.Count(text, "\n") + 1
	return line
}

// rows cuts the file into cells.
func (e Export) rows() ([][]string, error) {
	text, err := e.Text()
	if err != nil {
		return nil, err
	}
	if e.ruled {
		var all [][]string
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); strings.Trim(line, "-") != "" {
				all = append(all, strings.Split(line, string(e.comma)))
			}
		}
		return all, nil
	}
	in := csv.NewReader(strings.NewReader(text))
	in.Comma, in.FieldsPerRecord = e.comma, -1
	return in.ReadAll()
}

// render makes a line of cells.
func (e Export) render(cells []string) (string, error) {
	if e.ruled {
		return strings.Join(cells, string(e.comma)), nil
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Comma = e.comma
	if err := out.Write(cells); err != nil {
		return "", fmt.Errorf("write a row of %s: %w", e.File, err)
	}
	out.Flush()
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// Damage builds the file.
func (e Export) Damage() (*Damaged, error) {
	all, err := e.rows()
	if err != nil {
		return nil, err
	}
	d := &Damaged{}
	for _, row := range all[:e.header+1] {
		if err := d.addRow(e, row); err != nil {
			return nil, err
		}
	}
	at := e.where(all[e.header])
	template := all[e.header+1]
	if slices.ContainsFunc(template, func(c string) bool { return strings.Contains(c, "\n") }) {
		template = all[e.header+2] // damage to a row of several lines has more than one face
	}
	n := 0
	fresh := func() []string {
		n++
		cells := slices.Clone(template)
		cells[at.name] = fmt.Sprint("Name ", n)
		cells[at.number] = fmt.Sprint("K", n)
		return cells
	}
	good := func() ([]string, error) {
		cells := fresh()
		d.Good = append(d.Good, cells[at.number])
		return cells, d.addRow(e, cells)
	}
	before, err := good()
	for _, w := range wrecks {
		if err != nil {
			return nil, err
		}
		if w.needs != nil && !w.needs(e, at) {
			continue
		}
		if err := d.wreck(e, at, w, fresh(), before); err != nil {
			return nil, err
		}
		before, err = good()
	}
	for _, row := range all[len(all)-e.footer:] {
		err = errors.Join(err, d.addRow(e, row))
	}
	return d, err
}

func (d *Damaged) addRow(e Export, cells []string) error {
	text, err := e.render(cells)
	d.add(text)
	return err
}

// wreck adds a row with one kind of damage; before is the row before it.
func (d *Damaged) wreck(e Export, at columns, w wreck, cells, before []string) error {
	switch {
	case w.cells != nil:
		cells = w.cells(e, at, cells)
	case w.line == nil:
		cells[at.number] = before[at.number]
	}
	text, err := e.render(cells)
	if w.line != nil {
		text = w.line(e, at, text)
	}
	column := ""
	if w.column != nil {
		column = w.column(e, at)
	}
	d.Kinds++
	d.want = append(d.want, [3]string{strconv.Itoa(d.add(text)), column, w.reason})
	return err
}

// where finds the members in the header.
func (e Export) where(header []string) columns {
	trimmed := make([]string, len(header))
	for i, h := range header {
		trimmed[i] = strings.TrimSpace(h)
	}
	at := columns{header: trimmed, balance: -1, changed: -1}
	find := func(names ...string) int {
		for _, n := range names {
			if i := slices.Index(trimmed, n); i >= 0 {
				return i
			}
		}
		return -1
	}
	at.number = find("ID", "Customer ID", "KUNNR", "Debitor", "Customer full name", "Customer", "CUSTOMERID", "CUSTOMERACCOUNT", "No.", "AccountNumber", "Contact", "Name")
	at.name = find("NAME1", "Name 1", "Customer full name", "Customer", "ORGANIZATIONNAME", "*ContactName", "NAME", "Company Name", "Name", "Contact")
	if e.balance {
		at.balance = find("Balance Total", "Balance (LCY)", "Open Balance", "TOTALDUE", "DMBTR", "Saldo", "Balance", "Total")
	}
	if e.changed {
		at.changed = find("Last Modified", "WHENMODIFIED")
	}
	return at
}
