package rows

import (
	"slices"
	"strings"
)

// A ruled table is a list as SAP prints it into a file ("unconverted"): cells between bars and padded with blanks, lines of dashes
// above and below the header, which may come again on each page. Nothing in it is quoted.

// ruled tells by the header: it begins and ends with a bar.
func ruled(comma byte, header []string) bool {
	return comma == '|' && len(header) > 2 && header[0] == "" && header[len(header)-1] == ""
}

// rule takes the padding off the cells of a row, and reports a row that is none: dashes, or the header again.
func (t *table) rule(values []string) bool {
	for i, v := range values {
		values[i] = strings.TrimSpace(v)
	}
	return dashes(values) || slices.Equal(values, t.header)
}

// dashes reports cells of nothing else.
func dashes(values []string) bool {
	return strings.Trim(strings.Join(values, ""), "-+") == "" && !blank(values)
}
