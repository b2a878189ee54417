package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNeverPrints(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	s := String(text)
	type holder struct {
		Password String `json:"password"`
		List     []String
	}
	h := holder{s, []String{s}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "password", s, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "password", s, "holder", h)
	out, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(out) + fmt.Sprint(s, h) + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, h, h, s, s, s, s)
	if strings.Contains(all, text) || strings.Contains(all, fmt.Sprintf("%x", text)) {
		t.Fatalf("the secret shows in: %s", all)
	}
	if s.Reveal() != text || String("").String() != "" {
		t.Fatal("Reveal must give the text, an unset secret must print as nothing")
	}
}
