// Package conformance reads the conformance table of the matching rules and says whether a matcher keeps to it.
//
// A row of the table becomes a Case: the Steps that are given, and what must be published afterwards. A test gives the
// steps to a matcher and every record that comes out of it to a Tracker, which keeps the latest value per key, watches the
// rules that hold for every step (R27, R28), and writes both in the table's notation, to be compared with the row.
// The package is for tests only.
package conformance

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// Case is one row of the table.
type Case struct {
	ID       string
	Steps    []Step
	State    []string // lines of the published state, in notation
	Total    int      // how many records are published when State leaves some out, else 0
	Produced []string // what the last step produces, in notation, ascending
	Count    int      // how many records the last step produces when Produced is not given, else 0
}

// Step is what is given before the matcher settles: records, or a link.
type Step struct {
	Records []Record
	IsLink  bool
	Link    *customer.Link // nil removes it
}

// Record is one input record.
type Record struct {
	Kind    join.Kind
	Key     string
	Fields  customer.Fields // nil for a tombstone
	Links   []string        // of a note
	Version change.Version
}

// DefaultLink is the link that every case starts with.
func DefaultLink() *customer.Link {
	return &customer.Link{SalesforceField: "X", ERPField: "Y", Cardinality: customer.CardinalityOneToOne, NearMiss: true}
}

// ERPDeletedField is the path that every case is run with.
const ERPDeletedField = "deleted"

var rowID = regexp.MustCompile(`^M\d{3}$`)

// ReadTable returns the cases of the table in the file.
func ReadTable(path string) ([]Case, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read conformance table: %w", err)
	}
	var cases []Case
	for line := range strings.Lines(string(text)) {
		cells := splitRow(line)
		if len(cells) != 5 || !rowID.MatchString(cells[0]) {
			continue
		}
		c, err := newCase(cells)
		if err != nil {
			return nil, fmt.Errorf("read case %s: %w", cells[0], err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// splitRow returns the cells of a row of the table; a | that belongs to a cell is written \|.
func splitRow(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "| ") {
		return nil
	}
	var cells []string
	for cell := range strings.SplitSeq(strings.ReplaceAll(line, `\|`, "\x00"), "|") {
		cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
	}
	return cells[1 : len(cells)-1]
}

var quoted = regexp.MustCompile("`[^`]*`")

// spans returns what stands between backticks.
func spans(cell string) []string {
	var out []string
	for _, s := range quoted.FindAllString(cell, -1) {
		out = append(out, s[1:len(s)-1])
	}
	return out
}

func newCase(cells []string) (Case, error) {
	c := Case{ID: cells[0]}
	p := stepParser{revs: map[string]int64{}, salesforceIDs: strings.Contains(cells[1], "sf=Id")}
	for _, text := range spans(cells[1]) {
		step, err := p.step(text)
		if err != nil {
			return Case{}, fmt.Errorf("step %q: %w", text, err)
		}
		c.Steps = append(c.Steps, step)
	}
	for _, line := range spans(cells[2]) {
		if n, ok := number(line, "… (", " in all) …"); ok {
			c.Total = n
			continue
		}
		c.State = append(c.State, expand(line))
	}
	produced := spans(cells[3])
	if len(produced) == 1 {
		if n, ok := number(produced[0], "", " records"); ok {
			c.Count = n
			return c, nil
		}
		for item := range strings.SplitSeq(produced[0], ", ") {
			c.Produced = append(c.Produced, expand(item))
		}
	}
	return c, nil
}

func number(s, prefix, suffix string) (int, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	s, ok2 := strings.CutSuffix(s, suffix)
	n, err := strconv.Atoi(s)
	return n, ok && ok2 && err == nil
}

var repeated = regexp.MustCompile(`\bZx(\d+)`)

// expand writes out Zx1024.
func expand(s string) string {
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.Atoi(m[2:])
		return strings.Repeat("Z", n)
	})
}
