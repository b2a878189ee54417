package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzAppendString holds what is written to what the standard library reads.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "Acme", `a "b" \ c`, "line\nfeed\r\ttab\x00\x1f\x7f", "<b>&</b>", "Zoë \u2028 \U0001f600", "cut \xff\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString([]byte("before "), s)
		text, ok := strings.CutPrefix(string(out), "before ")
		var got string
		if err := json.Unmarshal([]byte(text), &got); err != nil || !ok {
			t.Fatalf("%q is written as %s: %v", s, out, err)
		}
		var want strings.Builder // one U+FFFD for each byte that is not UTF-8
		for _, r := range s {
			want.WriteRune(r)
		}
		if got != want.String() {
			t.Errorf("%q is read back as %q", s, got)
		}
		if strings.Contains(s, "<") != strings.Contains(text, "<") {
			t.Errorf("%q is written as %s", s, text)
		}
	})
}
