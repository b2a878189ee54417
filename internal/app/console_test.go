package app

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestPageKnowsTheStatus: the console's page reads members of the status by name; each is one of the part that it is read of.
func TestPageKnowsTheStatus(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "console", "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	for variable, status := range map[string]any{"line": Line{}, "c": Approval{}} {
		known := map[string]bool{}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(status)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			known[name] = true
		}
		read := regexp.MustCompile(`\b`+variable+`\.([a-z_]+)`).FindAllSubmatch(page, -1)
		if len(read) == 0 {
			t.Errorf("the page reads nothing of %T", status)
		}
		for _, m := range read {
			if !known[string(m[1])] {
				t.Errorf("the page reads %s, which %T has not", m[0], status)
			}
		}
	}
}
