package mapping

import (
	"fmt"
	"regexp"
	"strings"

	"crosswalk/internal/change"
)

// amount reads a balance exactly (R9).
func (m *Mapper) amount(v change.Value) (change.Value, string) {
	switch v.Kind() {
	case change.Int:
		v, _ = change.DecimalValue(v.String()) // the digits of an integer are a decimal
	case change.Decimal:
	case change.String:
		text := strings.Trim(v.Str(), " \u00a0")
		if text == "" {
			return change.NullValue(), ""
		}
		var reason string
		if v, reason = m.decimal(text); reason != "" {
			return change.Value{}, reason
		}
	default:
		return change.Value{}, fmt.Sprintf("%q is not a number", v)
	}
	whole, frac, _ := strings.Cut(strings.TrimPrefix(v.Str(), "-"), ".")
	if len(whole) > 28 || len(frac) > 10 {
		return change.Value{}, fmt.Sprintf("%q has more than 28 digits before or 10 after the point", v.Str())
	}
	return v, ""
}

var (
	plainNumber    = regexp.MustCompile(`^[0-9]*\.?[0-9]+$`)
	groupedNumber  = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})*\.[0-9]+$|^[0-9]{1,3}(,[0-9]{3}){2,}$`)
	commaNumber    = regexp.MustCompile(`^[0-9]*,?[0-9]+$`)
	groupedByPoint = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{3})*,[0-9]+$|^[0-9]{1,3}(\.[0-9]{3}){1,}$`)
	// Spaces and apostrophes can only be group signs. The same one stands between all groups.
	groupedBySpace = regexp.MustCompile(`^[0-9]{1,3}(?:( [0-9]{3})+|(\x{a0}[0-9]{3})+|(\x{202f}[0-9]{3})+|('[0-9]{3})+|(’[0-9]{3})+)([.,][0-9]+)?$`)
	spaces         = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "", "’", "")
)

// decimal reads a number as people write amounts. Group signs are taken only where they cannot be a decimal sign: "1,234"
// may be either, and a balance that is wrong by a thousand is worse than a rejected row.
func (m *Mapper) decimal(text string) (change.Value, string) {
	plain, negative, ok := m.unsigned(text)
	if ok && groupedBySpace.MatchString(plain) {
		plain = spaces.Replace(plain)
	}
	comma := m.source.DecimalComma != nil && *m.source.DecimalComma
	switch {
	case !ok:
	case !comma && plainNumber.MatchString(plain):
	case !comma && groupedNumber.MatchString(plain):
		plain = strings.ReplaceAll(plain, ",", "")
	case comma && commaNumber.MatchString(plain):
		plain = strings.Replace(plain, ",", ".", 1)
	case comma && groupedByPoint.MatchString(plain):
		plain = strings.Replace(strings.ReplaceAll(plain, ".", ""), ",", ".", 1)
	default:
		ok = false
	}
	if !ok {
		hint := "set decimal_comma if the file writes 1.234,50"
		if comma {
			hint = "decimal_comma is set: write 1.234,50 or 1234,50"
		}
		return change.Value{}, fmt.Sprintf("%q is not a number; %s", text, hint)
	}
	if negative {
		plain = "-" + plain
	}
	v, err := change.DecimalValue(plain)
	if err != nil {
		return change.Value{}, err.Error()
	}
	return v, ""
}

// unsigned takes the currency symbol and the sign off: before the digits, behind them (SAP), or as parentheses (accounting).
func (m *Mapper) unsigned(text string) (plain string, negative, ok bool) {
	signs := 0
	for {
		before := text
		for _, symbol := range m.source.CurrencySymbols {
			if rest, ok := strings.CutPrefix(text, symbol); ok && symbol != "" {
				text = strings.TrimLeft(rest, " \u00a0")
			}
			if rest, ok := strings.CutSuffix(text, symbol); ok && symbol != "" {
				text = strings.TrimRight(rest, " \u00a0")
			}
		}
		switch {
		case strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"):
			text, negative = text[1:len(text)-1], true
			signs++
		case strings.HasPrefix(text, "-"), strings.HasPrefix(text, "+"):
			negative = negative || text[0] == '-'
			text = text[1:]
			signs++
		case strings.HasSuffix(text, "-"):
			text, negative = text[:len(text)-1], true
			signs++
		}
		if text == before {
			return text, negative, signs <= 1
		}
	}
}
