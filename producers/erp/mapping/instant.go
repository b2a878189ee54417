package mapping

import (
	"fmt"
	"strings"
	"time"

	"crosswalk/internal/change"
)

// isoLayouts are always understood.
var isoLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", time.DateOnly,
}

// tokens are the parts of a configured time format and what Go calls them; longer ones stand before their beginnings.
var tokens = [][2]string{
	{"YYYY", "2006"},
	{"YY", "06"},
	{"MMMM", "January"},
	{"MMM", "Jan"},
	{"MM", "01"},
	{"M", "1"},
	{"DD", "02"},
	{"D", "2"},
	{"hh", "15"},
	{"h", "3"},
	{"mm", "04"},
	{"ss", "05"},
	{"AM", "PM"},
	{"am", "pm"},
}

// layouts turns configured formats such as "MM/DD/YYYY hh:mm AM" into Go's.
func layouts(formats []string) []string {
	out := make([]string, 0, len(formats))
	for _, f := range formats {
		twelve := strings.Contains(f, "AM") || strings.Contains(f, "am")
		var layout strings.Builder
	next:
		for f != "" {
			for _, t := range tokens {
				if rest, ok := strings.CutPrefix(f, t[0]); ok {
					f = rest
					if t[0] == "hh" && twelve {
						layout.WriteString("03")
					} else {
						layout.WriteString(t[1])
					}
					continue next
				}
			}
			layout.WriteByte(f[0])
			f = f[1:]
		}
		out = append(out, layout.String())
	}
	return out
}

// instant reads a time; one without a zone is in the source's.
func (m *Mapper) instant(v change.Value) (change.Value, string) {
	switch v.Kind() {
	case change.Datetime:
		return v, ""
	case change.Date:
		return change.DatetimeValue(time.Unix(v.Int()*86400, 0).UTC().UnixMilli()), ""
	case change.String:
	default:
		return change.Value{}, fmt.Sprintf("%q is not a time; write it as a text such as 2026-11-21T10:00:00Z", v)
	}
	text := strings.TrimSpace(v.Str())
	if text == "" {
		return change.NullValue(), ""
	}
	for _, list := range [2][]string{isoLayouts, m.layouts} {
		for _, layout := range list {
			if t, err := time.ParseInLocation(layout, text, m.zone); err == nil {
				return change.DatetimeValue(t.UnixMilli()), ""
			}
		}
	}
	also := ""
	if len(m.source.TimeFormats) > 0 {
		also = ", or as time_formats say: " + strings.Join(m.source.TimeFormats, ", ")
	}
	return change.Value{}, fmt.Sprintf("%q is not a time; write 2026-11-21T10:00:00Z, 2026-11-21 10:00:00 (taken as %s) or 2026-11-21%s", text, m.zone, also)
}
