package registry

import (
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/avro/schema"
)

// levels are the compatibility levels of Confluent's API.
var levels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

// defaultLevel is Confluent's: consumers can be moved to the new schema before producers.
const defaultLevel = "BACKWARD"

// modes are what may be done with a subject.
var modes = []string{"READWRITE", "READONLY", "READONLY_OVERRIDE"}

const defaultMode = "READWRITE"

// earlier is a version that a new schema is compared with.
type earlier struct {
	number int
	text   string
	node   *schema.Node
}

// incompatibilities compares a new schema with earlier ones, oldest first, and stops at the first that it does not go with. The
// messages are worded as Confluent's.
func incompatibilities(level string, n *schema.Node, before []earlier) []string {
	base := strings.TrimSuffix(level, "_TRANSITIVE")
	for _, e := range slices.Backward(before) {
		var out []string
		if base == "BACKWARD" || base == "FULL" {
			out = append(out, describe(schema.CanRead(n, e.node), "new", "old")...)
		}
		if base == "FORWARD" || base == "FULL" {
			out = append(out, describe(schema.CanRead(e.node, n), "old", "new")...)
		}
		if len(out) > 0 {
			return append(out, fmt.Sprintf("{oldSchemaVersion: %d}", e.number), fmt.Sprintf("{oldSchema: '%s'}", e.text), fmt.Sprintf("{compatibility: '%s'}", level))
		}
	}
	return nil
}

func describe(mismatches []schema.Mismatch, reader, writer string) []string {
	var out []string
	for _, m := range mismatches {
		text := ""
		switch m.Type {
		case schema.NameMismatch:
			text = fmt.Sprintf("The name of the schema has changed (path '%s')", m.Path)
		case schema.FixedSizeMismatch:
			text = fmt.Sprintf("The size of FIXED type field at path '%s' in the %s schema does not match with the %s schema", m.Path, reader, writer)
		case schema.MissingEnumSymbols:
			text = fmt.Sprintf("The %s schema is missing enum symbols '%s' at path '%s' in the %s schema", reader, m.Info, m.Path, writer)
		case schema.MissingDefault:
			text = fmt.Sprintf("The field '%s' at path '%s' in the %s schema has no default value and is missing in the %s schema", m.Info, m.Path, reader, writer)
		case schema.TypeMismatch:
			text = fmt.Sprintf("The type (path '%s') of a field in the %s schema does not match with the %s schema", m.Path, reader, writer)
		case schema.MissingUnionBranch:
			text = fmt.Sprintf("The %s schema is missing a type inside a union field at path '%s' in the %s schema", reader, m.Path, writer)
		}
		out = append(out, fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", m.Type, text, m.Info))
	}
	return out
}
