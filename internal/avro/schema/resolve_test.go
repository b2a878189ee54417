package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

func rec(fields ...string) string {
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

func fld(name, typ string, more ...string) string {
	return `{"name":"` + name + `","type":` + typ + strings.Join(more, "") + `}`
}

// Each row: can the reader read what the writer wrote, and if not, why. "-" is yes. The library twmb/avro must agree.
func TestCanRead(t *testing.T) {
	t.Parallel()
	enum := func(symbols, more string) string {
		return `{"type":"enum","name":"E","symbols":[` + symbols + `]` + more + `}`
	}
	list := `{"type":"record","name":"L","fields":[{"name":"v","type":%s},{"name":"next","type":["null","L"],"default":null}]}`
	for _, row := range []struct{ reader, writer, want string }{
		{`"int"`, `"int"`, "-"},
		{`"long"`, `"int"`, "-"},
		{`"float"`, `"int"`, "-"},
		{`"double"`, `"int"`, "-"},
		{`"float"`, `"long"`, "-"},
		{`"double"`, `"float"`, "-"},
		{`"bytes"`, `"string"`, "-"},
		{`"string"`, `"bytes"`, "-"},
		{`"int"`, `"long"`, "TYPE_MISMATCH /"},
		{`"long"`, `"double"`, "TYPE_MISMATCH /"},
		{`"string"`, `"int"`, "TYPE_MISMATCH /"},
		{`"boolean"`, `"null"`, "TYPE_MISMATCH /"},
		{`{"type":"array","items":"long"}`, `{"type":"array","items":"int"}`, "-"},
		{`{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, "TYPE_MISMATCH /items"},
		{`{"type":"map","values":"int"}`, `{"type":"map","values":"string"}`, "TYPE_MISMATCH /values"},
		{`{"type":"map","values":"int"}`, `{"type":"array","items":"int"}`, "TYPE_MISMATCH /"},
		// records
		{rec(fld("a", `"int"`), fld("b", `"int"`, `,"default":1`)), rec(fld("a", `"int"`)), "-"},
		{rec(fld("a", `"int"`), fld("b", `"int"`)), rec(fld("a", `"int"`)), "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1"},
		{rec(fld("a", `"int"`)), rec(fld("a", `"int"`), fld("b", `"int"`)), "-"},
		{rec(fld("a", `"string"`)), rec(fld("a", `"int"`)), "TYPE_MISMATCH /fields/0/type"},
		{rec(fld("b", `"int"`, `,"aliases":["a"]`)), rec(fld("a", `"int"`)), "-"},
		{`{"type":"record","name":"S","fields":[]}`, rec(), "NAME_MISMATCH /name"},
		{`{"type":"record","name":"S","aliases":["R"],"fields":[]}`, rec(), "-"},
		{`{"type":"record","name":"other.R","fields":[]}`, rec(), "-"},
		// unions
		{`["null","string"]`, `"string"`, "-"},
		{`["null","string"]`, `["string","null"]`, "-"},
		{`["null","long"]`, `"int"`, "-"},
		{`["null","string"]`, `"int"`, "MISSING_UNION_BRANCH /"},
		{`["null","string"]`, `["null","string","int"]`, "MISSING_UNION_BRANCH /2"},
		{`["null","string","int"]`, `["null","string"]`, "-"},
		{`"string"`, `["string"]`, "-"},
		{`"string"`, `["null","string"]`, "TYPE_MISMATCH /"},
		{rec(fld("a", `["null","string",{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}]`)), rec(fld("a", `["null","string"]`)), "-"},
		{rec(fld("a", `["null","int"]`)), rec(fld("a", `["null","string"]`)), "MISSING_UNION_BRANCH /fields/0/type/1"},
		// enums and fixed
		{enum(`"A","B"`, ""), enum(`"A"`, ""), "-"},
		{enum(`"A"`, ""), enum(`"A","B"`, ""), "MISSING_ENUM_SYMBOLS /symbols"},
		{enum(`"A"`, `,"default":"A"`), enum(`"A","B"`, ""), "-"},
		{`{"type":"fixed","name":"F","size":3}`, `{"type":"fixed","name":"F","size":2}`, "FIXED_SIZE_MISMATCH /size"},
		{`{"type":"fixed","name":"G","size":2}`, `{"type":"fixed","name":"F","size":2}`, "NAME_MISMATCH /name"},
		// types inside themselves
		{fmt.Sprintf(list, `"long"`), fmt.Sprintf(list, `"int"`), "-"},
		{fmt.Sprintf(list, `"int"`), fmt.Sprintf(list, `"long"`), "TYPE_MISMATCH /fields/0/type"},
	} {
		mismatches := CanRead(mustParse(t, row.reader), mustParse(t, row.writer))
		got := "-"
		if len(mismatches) > 0 {
			got = string(mismatches[0].Type) + " " + mismatches[0].Path
		}
		if got != row.want {
			t.Errorf("%s reads %s: %s (%v), want %s", row.reader, row.writer, got, mismatches, row.want)
		}
		err := avro.CheckCompatibility(avro.MustParse(row.writer), avro.MustParse(row.reader))
		if (err == nil) != (got == "-") {
			t.Errorf("%s reads %s: we say %s, twmb/avro says %v", row.reader, row.writer, got, err)
		}
	}
}

func TestCanReadTellsOfEveryMismatch(t *testing.T) {
	t.Parallel()
	in := `{"type":"record","name":"In","fields":[{"name":"x","type":%s}]}`
	reader := mustParse(t, rec(fld("a", fmt.Sprintf(in, `"int"`)), fld("b", `"In"`), fld("c", `"int"`)))
	writer := mustParse(t, rec(fld("a", fmt.Sprintf(in, `"string"`)), fld("b", `"In"`)))
	var got []string
	for _, m := range CanRead(reader, writer) {
		got = append(got, m.Path)
	}
	if want := "/fields/0/type/fields/0/type /fields/1/type/fields/0/type /fields/2"; strings.Join(got, " ") != want {
		t.Errorf("mismatches at %v, want %s", got, want)
	}
}
