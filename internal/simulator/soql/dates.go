package soql

import (
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/simulator/org"
)

// span is what a value of a date or datetime field stands for: one moment, or the days of a date literal.
type span struct {
	from, to string // canonical texts; to is exclusive and equals from for a single value
}

func day(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }

// dateLiteral resolves TODAY, LAST_N_DAYS:n and the like to [from, to) at the time now; ok is false for other words.
func dateLiteral(word, param string, now time.Time) (from, to time.Time, ok bool) {
	today := day(now.UTC())
	week := today.AddDate(0, 0, -int(today.Weekday())) // weeks begin on Sunday
	month := today.AddDate(0, 0, 1-today.Day())
	quarter := time.Date(today.Year(), (today.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	year := time.Date(today.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	n, err := strconv.Atoi(param)
	if (param != "" && err != nil) || n < 0 || n > 100_000 {
		return from, to, false
	}
	word = strings.ToUpper(word)
	if rest, fixed := strings.CutSuffix(word, "_90_DAYS"); fixed && param == "" {
		n, word = 90, rest+"_N_DAYS"
	} else if param == "" {
		n = 1
		if strings.Contains(word, "_N_") {
			return from, to, false
		}
	}
	parts := strings.Split(word, "_")
	unit := map[string]struct {
		start               time.Time
		years, months, days int
	}{
		"DAYS": {today, 0, 0, 1}, "WEEK": {week, 0, 0, 7}, "WEEKS": {week, 0, 0, 7}, "MONTH": {month, 0, 1, 0}, "MONTHS": {month, 0, 1, 0},
		"QUARTER": {quarter, 0, 3, 0}, "QUARTERS": {quarter, 0, 3, 0}, "YEAR": {year, 1, 0, 0}, "YEARS": {year, 1, 0, 0},
	}
	switch {
	case word == "TODAY":
		return today, today.AddDate(0, 0, 1), true
	case word == "YESTERDAY":
		return today.AddDate(0, 0, -1), today, true
	case word == "TOMORROW":
		return today.AddDate(0, 0, 1), today.AddDate(0, 0, 2), true
	case word == "N_DAYS_AGO" && param != "":
		return today.AddDate(0, 0, -n), today.AddDate(0, 0, 1-n), true
	}
	counted := len(parts) == 3 && parts[1] == "N"
	if len(parts) != 2 && !counted {
		return from, to, false
	}
	u, known := unit[parts[len(parts)-1]]
	if !known || counted != strings.HasSuffix(word, "S") {
		return from, to, false
	}
	at := func(k int) time.Time { return u.start.AddDate(u.years*k, u.months*k, u.days*k) }
	switch parts[0] {
	case "THIS":
		return at(0), at(1), !counted
	case "LAST":
		if u.days == 1 { // days count up to and including today
			return at(-n), at(1), true
		}
		return at(-n), at(0), true
	case "NEXT":
		return at(1), at(n + 1), true
	}
	return from, to, false
}

// spanOf turns a value into what it stands for on a field of the given kind.
func spanOf(kind org.Kind, t token, param string, now time.Time) (span, bool) {
	layout := org.DatetimeLayout
	if kind == org.Date {
		layout = org.DateLayout
	}
	if t.kind == name {
		from, to, ok := dateLiteral(t.value, param, now)
		return span{from.Format(layout), to.Format(layout)}, ok
	}
	if t.kind != literal {
		return span{}, false
	}
	if at, err := time.Parse(org.DateLayout, t.value); err == nil {
		if kind == org.Datetime {
			return span{}, false
		}
		return span{at.Format(layout), at.Format(layout)}, true
	}
	at, ok := org.ParseDatetime(t.value)
	if !ok || kind == org.Date {
		return span{}, false
	}
	return span{at.Format(layout), at.Format(layout)}, true
}
