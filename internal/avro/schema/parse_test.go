package schema

import (
	"strings"
	"testing"
)

func TestParseReadsNamesAndLogicalTypes(t *testing.T) {
	t.Parallel()
	n, err := Parse(`{"type":"record","name":"a.b.R","aliases":["Old","x.Older"],"fields":[
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}},
		{"name":"again","type":["null","E","a.b.E2"],"default":null},
		{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":"\u0001"},
		{"name":"wrong","type":{"type":"string","logicalType":"decimal","precision":4}},
		{"name":"next","type":["null","R"],"default":null}]}`, mustParse(t, `{"type":"fixed","name":"a.b.E2","size":3}`))
	if err != nil {
		t.Fatal(err)
	}
	if n.FullName() != "a.b.R" || strings.Join(n.Aliases, " ") != "a.b.Old x.Older" {
		t.Errorf("name %s, aliases %v", n.FullName(), n.Aliases)
	}
	if e := n.Fields[1].Type.Branches[1]; e != n.Fields[0].Type || e.FullName() != "a.b.E" || e.Default != "A" {
		t.Errorf("the second use of E is another type: %+v", e)
	}
	if d := n.Fields[2].Type; d.Logical != "decimal" || d.Precision != 4 || d.Scale != 2 {
		t.Errorf("decimal read as %+v", d)
	}
	if w := n.Fields[3].Type; w.Logical != "" {
		t.Errorf("a decimal on a string must be ignored, is %q", w.Logical)
	}
	if n.Fields[4].Type.Branches[1] != n {
		t.Error("the recursive type is another one")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:               "unexpected EOF",
		`"int" 1`:         "text follows",
		`"nope"`:          "not defined",
		`5`:               "list or an object",
		`["int",["int"]]`: "inside a union",
		`["int","int"]`:   "int twice",
		`{"type":"record","name":"R","fields":[{"name":"1","type":"int"}]}`:                           "not a field name",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`: "twice",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`:             "R/a: the default",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":2147483648}]}`:      "R/a: the default",
		`{"type":"record","name":"R"}`:                             "no list of \"fields\"",
		`{"type":"enum","name":"E","symbols":["A","A"]}`:           "there twice",
		`{"type":"enum","name":"E","symbols":["A"],"default":"B"}`: "none of its symbols",
		`{"type":"fixed","name":"F","size":-1}`:                    "no \"size\"",
		`{"type":"array"}`:                                         "without \"items\"",
		`{"type":"fixed","name":"int","size":1}`:                   "primitive",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}`:          "defined twice",
		`{"type":"record","type":"record","name":"R","fields":[]}`:                                                      "there twice",
		strings.Repeat(`{"type":"array","items":`, 300) + `"int"` + strings.Repeat("}", 300):                            "levels of nesting",
		`{"type":"record","name":"R","namespace":"a..b","fields":[]}`:                                                   "not a namespace",
		`{"type":"record","name":"R","aliases":"x","fields":[]}`:                                                        "list of names",
		`{"type":"map","values":{"type":"record","name":"R","fields":[{"name":"x","type":"int","aliases":[1]}]}}`:       "a number in it",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"},"default":["no"]}]}`:   "the default",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"map","values":"int"},"default":{"k":"v"}}]}`: "the default",
	} {
		n, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.90s) = %v, %v; want an error with %q", text, n, err, want)
		}
	}
}

func TestTextIsOneFormOfManySpellings(t *testing.T) {
	t.Parallel()
	a := mustParse(t, `{"namespace":"n","name":"R","type":"record","doc":"<d>","fields":[
		{"type":"n.F","name":"x"},{"doc":"e","name":"y","type":{"type":"F"},"b":1.50,"a":{"z":1,"y":[true,null]}}]}`,
		mustParse(t, `{"type":"fixed","name":"n.F","size":1}`))
	want := `{"type":"record","name":"R","namespace":"n","doc":"<d>","fields":[{"name":"x","type":{"type":"fixed","name":"F","size":1}},` +
		`{"name":"y","type":"F","doc":"e","b":1.50,"a":{"z":1,"y":[true,null]}}]}`
	if got := a.Text(); got != want {
		t.Errorf("Text\n got %s\nwant %s", got, want)
	}
	b := mustParse(t, want)
	if b.Text() != want {
		t.Errorf("a second round gives\n%s", b.Text())
	}
	normal := `{"type":"record","name":"R","namespace":"n","doc":"<d>","fields":[{"name":"x","type":{"type":"fixed","name":"F","namespace":"n","size":1}},` +
		`{"name":"y","type":"n.F","doc":"e","a":{"z":1,"y":[true,null]},"b":1.50}]}`
	if got := a.Normalized(); got != normal {
		t.Errorf("Normalized\n got %s\nwant %s", got, normal)
	}
	byName := `{"type":"record","name":"R","fields":[{"name":"x","type":"n.F"},{"name":"y","type":"n.F"}]}`
	f := mustParse(t, `{"type":"fixed","name":"n.F","size":1}`)
	if got := mustParse(t, byName, f).Text(f); got != byName {
		t.Errorf("a type of another schema is not written by its name: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"],"default":null}]}`)
	f.Add(`[{"type":"fixed","name":"F","size":2},{"type":"map","values":"F"},{"type":"enum","name":"E","symbols":["A"]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(n.Text())
		if err != nil {
			t.Fatalf("%q is a schema, its text %q is not: %v", text, n.Text(), err)
		}
		if again.Text() != n.Text() {
			t.Fatalf("text of text differs:\n%s\n%s", n.Text(), again.Text())
		}
	})
}

func mustParse(t *testing.T, text string, refs ...*Node) *Node {
	t.Helper()
	n, err := Parse(text, refs...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
