package org

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// sheet is one CSV file on its way into an object.
type sheet struct {
	file    string
	object  *Object
	columns []column
	rows    []sheetRow
}

// column says where a column's values go: a field, through the parent's field match when the header was Relation.Field.
type column struct {
	field *Field
	match string // Account.ERP_No__c in a Contact's header: ERP_No__c
}

type sheetRow struct {
	line  int
	id    string
	cells []string
}

// Load reads schema.json, when there, and every NAME.csv, NAME being an object's API name. A header is the field's API
// name. The column Id is optional: it holds a real id, or any other text as a symbol for the record. A reference column
// holds a real id or a symbol of any file; under a header like Account.ERP_No__c it holds the parent's value of that field.
// An unknown column ending in __c becomes a custom text field, an unknown file ending in __c.csv a custom object.
// Read-only fields such as CreatedDate may be given. No change events come from loading.
func (o *Org) Load(files fs.FS) error {
	data, err := fs.ReadFile(files, "schema.json")
	if err == nil {
		err = o.readSchema(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := fs.Glob(files, "*.csv")
	if err != nil {
		return fmt.Errorf("list CSV files: %w", err)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(loadRank(a)-loadRank(b), strings.Compare(a, b)) })
	tx := o.beginLoad()
	symbols := make(map[string]string)
	var sheets []*sheet
	for _, name := range names {
		s, err := o.readSheet(files, name)
		if err != nil {
			return err
		}
		sheets = append(sheets, s)
	}
	for _, s := range sheets {
		if err := tx.nameRows(s, symbols); err != nil {
			return err
		}
	}
	for _, s := range sheets {
		if tx, err = tx.loadSheet(s, symbols); err != nil {
			return err
		}
	}
	tx.install()
	return nil
}

// loadBatch is how many rows are unpacked in memory at a time.
const loadBatch = 5000

// loadRank puts what others refer to first, so that references by a parent's field find their record.
func loadRank(file string) int {
	at := slices.Index([]string{"User.csv", "Account.csv", "Contact.csv", "ContentNote.csv", "ContentDocument.csv"}, file)
	if at < 0 {
		return 9
	}
	return at
}

// readSheet reads one file and resolves its header.
func (o *Org) readSheet(files fs.FS, file string) (*sheet, error) {
	data, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	name := strings.TrimSuffix(path.Base(file), ".csv")
	ob, ok := o.Object(name)
	if !ok {
		if err := o.AddObject(name, "", ""); err != nil {
			return nil, fmt.Errorf("read %s: name the file after an object, or end its name in __c.csv for a custom one: %w", file, err)
		}
		ob, _ = o.Object(name)
	}
	s := &sheet{file: file, object: ob}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	header, err := r.Read()
	if err == io.EOF {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		s.rows = append(s.rows, sheetRow{line: line, cells: cells})
	}
	for i, name := range header {
		c, err := o.column(ob, name, s.widest(i))
		if err != nil {
			return nil, fmt.Errorf("read %s, line 1, column %q: %w", file, name, err)
		}
		s.columns = append(s.columns, c)
	}
	return s, nil
}

// widest is the number of characters in the longest value of a column.
func (s *sheet) widest(i int) int {
	n := 0
	for _, r := range s.rows {
		n = max(n, utf8.RuneCountInString(r.cells[i]))
	}
	return n
}

func (o *Org) column(ob *Object, name string, width int) (column, error) {
	if relation, field, ok := strings.Cut(name, "."); ok {
		ref, ok := ob.Relation(relation)
		if !ok {
			return column{}, fmt.Errorf("%s has no relationship %s", ob.Name, relation)
		}
		return column{field: ref, match: field}, nil
	}
	if f, ok := ob.Field(name); ok {
		return column{field: f}, nil
	}
	if !strings.HasSuffix(name, "__c") {
		return column{}, fmt.Errorf("%s has no field of this name; a custom field's name ends in __c", ob.Name)
	}
	spec := FieldSpec{Name: name}
	if width > 255 {
		spec.Type = "textarea"
	}
	if err := o.AddField(ob.Name, spec); err != nil {
		return column{}, err
	}
	f, _ := ob.Field(name)
	return column{field: f}, nil
}

// nameRows gives each row with an Id column its id, so that rows may refer to later ones.
func (tx *Tx) nameRows(s *sheet, symbols map[string]string) error {
	at := slices.IndexFunc(s.columns, func(c column) bool { return c.field == s.object.sys.id })
	if at < 0 {
		return nil
	}
	taken := make(map[string]bool)
	for i := range s.rows {
		r := &s.rows[i]
		if id, ok := NormalizeID(r.cells[at]); ok && strings.HasPrefix(id, s.object.Prefix) {
			r.id, taken[id] = id, true
		}
	}
	next := uint64(s.object.table.size())
	for i := range s.rows {
		r := &s.rows[i]
		for r.id == "" {
			next++
			if id := MakeID(s.object.Prefix, next); !taken[id] {
				r.id = id
			}
		}
		text := r.cells[at]
		if text == "" {
			continue
		}
		if _, twice := symbols[text]; twice {
			return fmt.Errorf("read %s, line %d: the Id %q is there twice; give each record its own", s.file, r.line, text)
		}
		symbols[text] = r.id
	}
	return nil
}

// loadSheet saves the rows of one file, and returns the Tx to go on with.
func (tx *Tx) loadSheet(s *sheet, symbols map[string]string) (*Tx, error) {
	matches := make(map[column]map[string]string)
	for _, r := range s.rows {
		if len(tx.order) >= loadBatch {
			tx.install()
			tx = tx.org.beginLoad()
		}
		fields := make(Fields, len(s.columns))
		for i, c := range s.columns {
			if c.field == s.object.sys.id || r.cells[i] == "" {
				continue
			}
			text := r.cells[i]
			if c.field.Kind == ID {
				id, err := tx.resolve(c, text, symbols, matches)
				if err != nil {
					return nil, fmt.Errorf("read %s, line %d, column %s: %w", s.file, r.line, c.field.Name, err)
				}
				text = id
			}
			fields[c.field.Name] = text
		}
		if err := tx.loadRow(s.object, r.id, fields); err != nil {
			return nil, fmt.Errorf("read %s, line %d: %w", s.file, r.line, err)
		}
	}
	return tx, nil
}

func (tx *Tx) loadRow(ob *Object, id string, fields Fields) error {
	tx.org.mu.Lock()
	defer tx.org.mu.Unlock()
	var err error
	if ob.Name == "ContentNote" {
		fields["Id"] = id
		_, err = tx.createNote(ob, fields)
	} else {
		if slot, taken := ob.table.slotOf(id); id != "" && taken {
			return fmt.Errorf("there is a %s with the Id %s already (row %d)", ob.Name, id, slot+1)
		}
		_, err = tx.create(ob, id, fields)
	}
	return err
}

// resolve turns a reference's text into an id.
func (tx *Tx) resolve(c column, text string, symbols map[string]string, matches map[column]map[string]string) (string, error) {
	if c.match == "" {
		if id, ok := symbols[text]; ok {
			return id, nil
		}
		if id, ok := NormalizeID(text); ok {
			return id, nil
		}
		return "", fmt.Errorf("%q is neither an id of 15 or 18 characters nor the Id of a row in these files", text)
	}
	index := matches[c]
	if index == nil {
		index = tx.indexBy(c)
		matches[c] = index
	}
	if id, ok := index[text]; ok {
		return id, nil
	}
	return "", fmt.Errorf("no %s has %s %q", strings.Join(c.field.ReferenceTo, " or "), c.match, text)
}

// indexBy lists the ids of possible parents by the value of the matching field.
func (tx *Tx) indexBy(c column) map[string]string {
	index := make(map[string]string)
	for _, name := range c.field.ReferenceTo {
		ob, ok := tx.org.Object(name)
		if !ok {
			continue
		}
		f, ok := ob.Field(c.match)
		if !ok {
			continue
		}
		for _, p := range tx.order {
			if p.object == ob && p.values[f.Index] != "" {
				index[p.values[f.Index]] = ob.table.id(p.slot)
			}
		}
		tx.org.View(func(v View) {
			for r := range v.Rows(ob, 0) {
				if text, ok := r.Text(f); ok {
					index[text] = r.ID()
				}
			}
		})
	}
	return index
}
