package mapping

import (
	"fmt"
	"regexp"
	"strings"
)

// What a spreadsheet makes of an identifying value when a file passes through it.
var (
	// 1.23457E+11, 1,23457E+11, 1.2E11; not 5E10, which may be a number's own.
	scientific = regexp.MustCompile(`^-?[0-9]([.,][0-9]+[Ee]\+?|[Ee]\+)[0-9]+$`)
	// The months as English, German, French, Spanish, Italian, Dutch and Portuguese spreadsheets shorten them.
	month = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mrz|Mär|Mai|Okt|Dez|janv|févr|mars|avr|mai|juin|juil|août|sept|oct|nov|déc|` +
		`ene|feb|mar|abr|may|jun|jul|ago|sep|dic|gen|mag|giu|lug|set|ott|mrt|mei|okt|fev|dez)`
	// 5-Mar, Mar-05, 5-Mar-24; 05. Mrz, 05. Mrz. 2024; Mrz 24; 01.02.2024, 1/2/2024; 2024-03-05 00:00:00.
	dated = regexp.MustCompile(`^(?:[0-9]{1,2}-` + month + `\.?(?:-[0-9]{2,4})?|` + month + `\.?-[0-9]{2,4}|` +
		`[0-9]{1,2}\. ?` + month + `(?:\.? ?[0-9]{2,4})?|` + month + `\.? [0-9]{2}|` +
		`(?:[0-9]{1,2}\.[0-9]{1,2}\.|[0-9]{1,2}/[0-9]{1,2}/)(?:19|20)[0-9]{2}(?: [0-9:]+)?|` +
		`(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[ T]00:00(?::00)?)$`)
	apostrophe = regexp.MustCompile(`^'[0-9]+$`)
	hashes     = regexp.MustCompile(`^#+$|^#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|NV|WERT!|BEZUG!)$`)
)

// mangled says what a spreadsheet has done to an identifying value; empty: nothing that can be told from the value alone. It is asked
// of every row, so the patterns are tried on few.
func mangled(text string) string {
	if text == "" || strings.Trim(text, "0123456789") == "" {
		return ""
	}
	switch {
	case strings.ContainsAny(text, "eE") && scientific.MatchString(text):
		return fmt.Sprintf("%q was mangled by a spreadsheet, its digits are lost; export the column as text", text)
	case len(text) <= longestDate && strings.ContainsAny(text, "-./ ") && dated.MatchString(text):
		return fmt.Sprintf("%q was mangled by a spreadsheet, which took it for a date; export the column as text", text)
	case spreadsheetError(text):
		return lost(text)
	case strings.HasPrefix(text, `="`):
		return fmt.Sprintf("%q is a spreadsheet's formula; export the column as text", text)
	case text[0] == '\'' && apostrophe.MatchString(text):
		return fmt.Sprintf("%q begins with the sign by which spreadsheets mark a text; export the column without it", text)
	}
	return ""
}

// longestDate is that of a pattern, in bytes.
const longestDate = len("30. sept. 2024 00:00:00") + 2

func spreadsheetError(text string) bool {
	return strings.HasPrefix(text, "#") && len(text) > 1 && hashes.MatchString(text)
}

func lost(text string) string {
	return fmt.Sprintf("%q is a spreadsheet's error, the value is lost; export the column again", text)
}
