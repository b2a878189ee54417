package cdc_test

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"crosswalk/internal/simulator/cdc"
)

// lines makes a text of n numbered lines.
func lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("line %03d of a description that is long enough", i)
	}
	return out
}

// described commits an update of Description and returns what arrives.
func described(t *testing.T, opt cdc.Options, old, text string) any {
	t.Helper()
	l := cdc.NewLog(opt)
	c := change("UPDATE", "Account", 1, fields{"Description": text})
	c.Old = fields{"Description": old}
	l.Commit(commit(c))
	return read(t, l, "/data/ChangeEvents", cdc.Access{})[0].body()["Description"]
}

func TestTextDiff(t *testing.T) {
	t.Parallel()
	old := lines(40)
	text := lines(40)
	text[1] = "another second line"
	want := fields{"diff": fmt.Sprintf("--- \n+++ %x\n@@ -2,1 +2,1 @@\n-%s\n+another second line", sha256.Sum256([]byte(strings.Join(text, "\n"))), old[1])}
	same(t, "one line changed", described(t, cdc.Options{}, strings.Join(old, "\n"), strings.Join(text, "\n")), want)
	same(t, "switched off", described(t, cdc.Options{OmitTextDiffs: true}, strings.Join(old, "\n"), strings.Join(text, "\n")), strings.Join(text, "\n"))
}

func TestTextsThatAreSentWhole(t *testing.T) {
	t.Parallel()
	many := lines(40)
	for i := range 11 {
		many[i*3] += " changed"
	}
	long := strings.Join(lines(40), "\n")
	for name, pair := range map[string][2]string{
		"short":                       {"old", "new"},
		"new":                         {"", long},
		"more than a quarter of it":   {long, strings.Join(many, "\n")},
		"more than half of its size":  {long, strings.Join(lines(61), "\n")},
		"one long line":               {strings.Repeat("x", 2000), strings.Repeat("x", 2001)},
		"just below the limit":        {strings.Repeat("xy\n", 333), strings.Repeat("xy\n", 332) + "yx\n"},
		"too much to compare (lines)": {strings.Repeat("a\nb\n", 3000), strings.Repeat("b\na\n", 3000)},
	} {
		same(t, name, described(t, cdc.Options{}, pair[0], pair[1]), pair[1])
	}
}

// FuzzTextDiff holds that whatever arrives leads to the new text, by the hash when it is a diff.
func FuzzTextDiff(f *testing.F) {
	long := strings.Join(lines(40), "\n")
	f.Add(long, strings.Replace(long, "line 007", "no", 1))
	f.Add(long, long+"\nmore\n")
	f.Add(long, strings.TrimPrefix(long, "line 000 of a description that is long enough\n"))
	f.Add(strings.Repeat("a\n", 900), strings.Repeat("a\n", 600)+"b\n"+strings.Repeat("a\n", 250))
	f.Fuzz(func(t *testing.T, old, text string) {
		old, text = strings.ToValidUTF8(old, "?"), strings.ToValidUTF8(text, "?")
		if old == "" || text == "" {
			return
		}
		got := described(t, cdc.Options{}, old, text)
		diff, isDiff := got.(fields)
		if !isDiff {
			same(t, "whole text", got, text)
			return
		}
		same(t, "patched text", patch(t, old, diff["diff"].(string)), text)
	})
}

// patch applies a unified diff without context lines.
func patch(t *testing.T, old, diff string) string {
	t.Helper()
	in := strings.Split(diff, "\n")
	from := strings.Split(old, "\n")
	var out []string
	next := 0
	for i := 2; i < len(in); {
		var a, an, b, bn int
		if _, err := fmt.Sscanf(in[i], "@@ -%d,%d +%d,%d @@", &a, &an, &b, &bn); err != nil {
			t.Fatalf("hunk %q: %v", in[i], err)
		}
		i++
		start := a - 1
		if an == 0 {
			start = a
		}
		out = append(out, from[next:start]...)
		for _, line := range in[i : i+an] {
			same(t, "removed line "+strconv.Itoa(start), line, "-"+from[start])
			start++
		}
		for _, line := range in[i+an : i+an+bn] {
			out = append(out, line[1:])
		}
		next, i = start, i+an+bn
	}
	text := strings.Join(append(out, from[next:]...), "\n")
	same(t, "hash", strings.TrimPrefix(in[1], "+++ "), fmt.Sprintf("%x", sha256.Sum256([]byte(text))))
	return text
}
