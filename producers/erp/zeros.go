package erp

import (
	"fmt"
	"strings"
)

// LostZerosError refuses a file whose numbers were seen before with more zeros in front. Nothing in the number itself tells that a
// spreadsheet has taken them away; what is there already does. Published, each would be a second customer beside its own.
type LostZerosError struct {
	Source     string
	Count      int
	Key, Known string // the first of them, and the customer that is there
	Line       int64
}

func (e *LostZerosError) Error() string {
	return fmt.Sprintf("refused: %d customers of this file differ from ones that source %q has published by leading zeros only, the first is %q in line %d beside %q; nothing was published. Spreadsheets take zeros away: export the column as text. If they are other customers, set zeros_may_change of the source",
		e.Count, e.Source, e.Key, e.Line, e.Known)
}

// lostZeros looks for new customers that are live ones of the source without their leading zeros; nil: there are none. A
// customer that the list names under both numbers is two. named has the line of each key that the list names.
func (d *directory) lostZeros(source string, named map[string]int64) *LostZerosError {
	padded, n := map[string]string{}, d.source(source)
	for key, k := range d.keys {
		if !k.live || k.source != n || !strings.HasPrefix(key, "0") && !strings.Contains(key, "/0") {
			continue
		}
		if _, there := named[key]; there {
			continue
		}
		if bare := unpadded(key); bare != key {
			padded[bare] = key
		}
	}
	if len(padded) == 0 {
		return nil
	}
	e := &LostZerosError{Source: source}
	for key, line := range named {
		known, ok := padded[unpadded(key)]
		if !ok || line == damagedLine || len(key) >= len(known) || d.keys[key].live {
			continue
		}
		if e.Count++; e.Count == 1 || line < e.Line {
			e.Key, e.Known, e.Line = key, known, line
		}
	}
	if e.Count == 0 {
		return nil
	}
	return e
}

// unpadded takes the leading zeros off each part of a key that is nothing but digits.
func unpadded(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = strings.TrimLeft(p, "0")
		}
	}
	return strings.Join(parts, "/")
}
