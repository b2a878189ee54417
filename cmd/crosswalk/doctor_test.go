package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"crosswalk/internal/app"
	"crosswalk/internal/simulator"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	sim, environ := anOrg(t, "CROSSWALK_ORGS_0_ERP_SOURCES_0_NAME=customers", "CROSSWALK_ORGS_0_ERP_SOURCES_0_COLUMNS_NUMBER=No")
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"doctor"}, nil, &out, &errOut, environ); status != exitDone {
		t.Errorf("status %d: %s%s", status, out.String(), errOut.String())
	}
	sim.Permit(func(p *simulator.Profile) { p.NoAPI = true })
	out.Reset()
	if status := run(t.Context(), []string{"doctor"}, nil, &out, &errOut, environ); status != exitFailed {
		t.Errorf("status %d: %s%s", status, out.String(), errOut.String())
	}
	for _, want := range []string{"wrong        API Enabled", "→ the user lacks API Enabled", "not checked  Read on Account"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if !strings.Contains(errOut.String(), "checks found something wrong") {
		t.Error(errOut.String())
	}
	out.Reset()
	_ = run(t.Context(), []string{"doctor", "--json"}, nil, &out, &errOut, environ)
	d, lines := json.NewDecoder(&out), 0
	for d.More() {
		var f app.Finding
		if err := d.Decode(&f); err != nil || f.Check == "" || f.Verdict == "" {
			t.Fatalf("line %d: %+v, %v", lines, f, err)
		}
		lines++
	}
	if lines < 20 {
		t.Errorf("%d lines", lines)
	}
	if status := run(t.Context(), []string{"doctor", "--org", "nobody"}, nil, &out, &errOut, environ); status != exitUsage || !strings.Contains(errOut.String(), `no org with alias "nobody"`) {
		t.Errorf("status %d: %s", status, errOut.String())
	}
}
