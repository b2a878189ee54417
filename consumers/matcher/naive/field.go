package naive

import (
	"strconv"
	"strings"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

func split(path string) []string { return strings.Split(path, ".") }

// at follows a path into nested fields; false when a step of it is not there.
func at(fields customer.Fields, path []string) (any, bool) {
	var v any = map[string]any(fields)
	for _, step := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[step]; !ok {
			return nil, false
		}
	}
	return v, true
}

// valueAt returns a field as the identifier rules see it (R8).
func valueAt(fields customer.Fields, path []string) rule.Value {
	v, ok := at(fields, path)
	if !ok {
		return rule.Value{}
	}
	switch v := v.(type) {
	case nil:
		return rule.Value{Kind: rule.Null}
	case string:
		return rule.Value{Kind: rule.Text, Text: v}
	case int64:
		return rule.Value{Kind: rule.Number, Text: strconv.FormatInt(v, 10)}
	case customer.Decimal:
		return rule.Value{Kind: rule.Number, Text: string(v)}
	}
	return rule.Value{Kind: rule.Other}
}
