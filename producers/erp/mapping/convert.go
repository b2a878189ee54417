package mapping

import (
	"fmt"
	"strings"

	"crosswalk/internal/change"
)

// maxKey bounds a part of the key: Kafka keys are small, and a whole file in one cell is a damaged file.
const maxKey = 512

// convert brings a scalar to the type of a member; reason is empty when it can be taken. table says that the value is a text
// of a table, where texts are all there is.
func (m *Mapper) convert(member string, v change.Value, table bool) (_ change.Value, reason string) {
	switch member {
	case "balance":
		return m.amount(v)
	case "updated_at":
		return m.instant(v)
	}
	if v.Kind() == change.Bool {
		if identifies(member) {
			return v, fmt.Sprintf("the value is %s, not a text or a number", v)
		}
		return change.StringValue(v.String()), ""
	}
	text := v.String()
	if !identifies(member) {
		if spreadsheetError(text) {
			return v, lost(text)
		}
		return change.StringValue(text), ""
	}
	if table || v.Kind() == change.String {
		if reason := mangled(text); reason != "" {
			return v, reason
		}
		if m.guessed && strings.IndexFunc(text, func(c rune) bool { return c >= 0x80 }) >= 0 {
			return v, fmt.Sprintf("%q identifies the customer, but the file's encoding is only a guess; set encoding to windows-1252 or what it is", text)
		}
	}
	if member != "identifier" {
		if reason := badKey(member, text); reason != "" {
			return v, reason
		}
	}
	return change.StringValue(text), ""
}

func badKey(member, text string) string {
	switch {
	case len(text) > maxKey:
		return fmt.Sprintf("the %s has %d bytes, more than %d", member, len(text), maxKey)
	case strings.TrimSpace(text) == "":
		return fmt.Sprintf("the %s is blank", member)
	case strings.ContainsAny(text, "\x00\r\n"):
		return fmt.Sprintf("the %s contains a line break or NUL", member)
	case member == "company" && strings.Contains(text, "/"):
		return "the company contains a slash, which separates company and number in the key"
	}
	return ""
}
