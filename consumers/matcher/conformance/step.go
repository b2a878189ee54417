package conformance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// stepParser reads the steps of one case in order, since a record without a version is one newer than the last of its key.
type stepParser struct {
	revs          map[string]int64
	salesforceIDs bool // a7 is the Account Id of section 10
}

var span = regexp.MustCompile(`\{(\d+)\.\.(\d+)\}`)

func (p *stepParser) step(text string) (Step, error) {
	if text == "L-" {
		return Step{IsLink: true}, nil
	}
	if rest, ok := strings.CutPrefix(text, "L "); ok {
		link, err := parseLink(rest)
		return Step{IsLink: true, Link: link}, err
	}
	var s Step
	first, last := 0, 0
	if m := span.FindStringSubmatch(text); m != nil {
		first, _ = strconv.Atoi(m[1])
		last, _ = strconv.Atoi(m[2])
	}
	for n := first; n <= last; n++ {
		one := strings.ReplaceAll(span.ReplaceAllString(text, strconv.Itoa(n)), "#", strconv.Itoa(n))
		r, err := p.record(one)
		if err != nil {
			return Step{}, err
		}
		s.Records = append(s.Records, r)
	}
	return s, nil
}

func parseLink(text string) (*customer.Link, error) {
	l := &customer.Link{Cardinality: customer.CardinalityOneToOne, NearMiss: true}
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "sf":
			l.SalesforceField = value
		case "erp":
			l.ERPField = value
		case "card":
			l.Cardinality = customer.Cardinality(value)
		case "near":
			l.NearMiss = value != "off"
		default:
			return nil, fmt.Errorf("%q is not part of a link", word)
		}
	}
	return l, l.Validate()
}

var kinds = map[string]join.Kind{"A": join.Account, "C": join.Contact, "N": join.Note, "E": join.Customer}

var word = regexp.MustCompile(`(?:[^\s"]|"(?:[^"\\]|\\.)*")+`)

func (p *stepParser) record(text string) (Record, error) {
	words := word.FindAllString(text, -1)
	if len(words) < 2 {
		return Record{}, fmt.Errorf("a record needs a kind and a key")
	}
	letter, deleted := strings.CutSuffix(words[0], "-")
	kind, ok := kinds[letter]
	if !ok {
		return Record{}, fmt.Errorf("%q is not a kind of record", words[0])
	}
	r := Record{Kind: kind, Key: p.id(words[1])}
	if !deleted {
		r.Fields = customer.Fields{}
	}
	for _, w := range words[2:] {
		switch {
		case w[0] == '@':
			version, err := parseVersion(w[1:])
			if err != nil {
				return Record{}, err
			}
			r.Version = version
		case w[0] == '>':
			p.relate(&r, w[1:])
		default:
			if err := setField(r.Fields, w); err != nil {
				return Record{}, err
			}
		}
	}
	if r.Version == (change.Version{}) {
		r.Version = change.Version{Epoch: 1, Rev: p.revs[words[1]] + 1}
	}
	p.revs[words[1]] = r.Version.Rev
	return r, nil
}

// relate sets a Contact's Account or a note's links.
func (p *stepParser) relate(r *Record, to string) {
	if r.Kind == join.Contact {
		r.Fields["AccountId"] = nil
		if to != "-" {
			r.Fields["AccountId"] = p.id(to)
		}
		return
	}
	if to == "-" {
		return
	}
	for symbol := range strings.SplitSeq(to, ",") {
		r.Links = append(r.Links, p.id(symbol))
	}
}

func parseVersion(text string) (change.Version, error) {
	epoch, rev, found := strings.Cut(text, ".")
	if !found {
		epoch, rev = "1", epoch
	}
	e, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return change.Version{}, fmt.Errorf("%q is not a version", text)
	}
	r, err := strconv.ParseInt(rev, 10, 64)
	return change.Version{Epoch: e, Rev: r}, err
}

// setField reads X=C1 or custom.sfId="…".
func setField(fields customer.Fields, w string) error {
	path, text, ok := strings.Cut(w, "=")
	if !ok {
		return fmt.Errorf("%q is not a field", w)
	}
	v, err := parseValue(text)
	if err != nil {
		return err
	}
	steps := strings.Split(path, ".")
	in := map[string]any(fields)
	for _, step := range steps[:len(steps)-1] {
		next, ok := in[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			in[step] = next
		}
		in = next
	}
	in[steps[len(steps)-1]] = v
	return nil
}

var (
	wholeNumber = regexp.MustCompile(`^-?\d+$`)
	anyNumber   = regexp.MustCompile(`^-?\d+(\.\d+)?(E\d+)?$`)
	dots        = regexp.MustCompile(`^dots\((\d+)\)$`)
)

// parseValue reads a value of the table. A number that is written with a fraction or an exponent becomes a Decimal in the
// notation that is given, which is how it is encoded too.
func parseValue(text string) (any, error) {
	switch {
	case text == "null":
		return nil, nil
	case text == "true" || text == "false":
		return text == "true", nil
	case strings.HasPrefix(text, `"`):
		var s string
		err := json.Unmarshal([]byte(text), &s)
		return s, err
	case wholeNumber.MatchString(text):
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err
	case anyNumber.MatchString(text):
		return customer.Decimal(text), nil
	}
	if m := dots.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return "C1" + strings.Repeat(".", n), nil
	}
	return expand(text), nil
}

// Ids that sort by their number within their kind, with the key prefixes of Salesforce.
var prefixes = map[byte]string{'a': "001", 'c': "003", 'n': "069"}

const accountOfSection10 = "001D000000IqhSLIAZ"

// id returns what stands for a1, c1, n1; eN is the key itself.
func (p *stepParser) id(symbol string) string {
	if p.salesforceIDs && symbol == "a7" {
		return accountOfSection10
	}
	return ID(symbol)
}

// ID returns the Id that a symbol of the table stands for.
func ID(symbol string) string {
	n, err := strconv.Atoi(symbol[1:])
	if prefix, ok := prefixes[symbol[0]]; ok && err == nil {
		return fmt.Sprintf("%s%012dAAA", prefix, n)
	}
	return symbol
}

var idForm = regexp.MustCompile(`^(001|003|069)0*([1-9]\d*|0)AAA$`)

// Symbol returns the symbol of the table for an Id.
func Symbol(id string) string {
	if id == accountOfSection10 {
		return "a7"
	}
	m := idForm.FindStringSubmatch(id)
	if m == nil {
		return id
	}
	for letter, prefix := range prefixes {
		if prefix == m[1] {
			return string(letter) + m[2]
		}
	}
	return id
}
