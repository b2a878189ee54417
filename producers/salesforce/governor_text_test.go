package salesforce_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// texts counts how often the text of each version of a note was read, and makes calls scarce at the third.
type texts struct {
	mu   sync.Mutex
	sim  *simulator.Simulator
	read map[string]int // by path
}

func (x *texts) fault(r *http.Request) *simulator.Fault {
	if !strings.HasSuffix(r.URL.Path, "/VersionData") {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read[r.URL.Path]++; len(x.read) == 3 {
		others(70_000)(x.sim)
	}
	return nil
}

func (x *texts) counts() []int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Values(x.read))
}

// TestTextsOfNotesWait has calls become scarce while the texts of ContentNotes are read, one call each: other notes go on, and no
// text is read twice.
func TestTextsOfNotesWait(t *testing.T) {
	t.Parallel()
	x := &texts{read: map[string]int{}}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 4, Accounts: 3}, Fault: x.fault, Settings: simulator.Settings{DailyRequests: 100_000}})
	x.sim = b.sim
	b.config.Notes.Objects = []string{"ContentNote", "Note"}
	account := slices.Min(slices.Collect(maps.Keys(b.truth("Account"))))
	var ids []string
	for i := range 6 {
		id, err := b.sim.Org().Create("ContentNote", org.Fields{"Title": fmt.Sprint("T", i), "Content": fmt.Sprintf("<p>text %d</p>", i)})
		b.must(err)
		_, err = b.sim.Org().Create("ContentDocumentLink", org.Fields{"ContentDocumentId": id, "LinkedEntityId": account})
		b.must(err)
		ids = append(ids, id)
	}
	p := b.start()
	if pause := b.awaitPause(p, "bodies"); !strings.Contains(pause.Reason, "for what matters more than bodies") {
		t.Errorf("the reason is %q", pause.Reason)
	}
	id, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "meanwhile", "ParentId": account})
	b.must(err)
	b.awaitNote(p, id, "meanwhile")
	if got := x.counts(); len(got) != 3 || p.Status().Notes["ContentNote"].Ready {
		t.Errorf("%d texts were read while they wait, want 3; ready %v", len(got), p.Status().Notes["ContentNote"].Ready)
	}

	others(0)(b.sim)
	b.await(p, func(s salesforce.Status) bool {
		_, waits := paused(s, "bodies")
		return s.Notes["ContentNote"].Ready && !waits
	})
	for i, id := range ids {
		b.awaitNote(p, id, fmt.Sprint("text ", i))
	}
	b.must(b.sim.Org().Update("ContentNote", ids[0], org.Fields{"Content": "another"}))
	b.awaitNote(p, ids[0], "another")
	if got := x.counts(); slices.Max(got) != 1 || len(got) != 7 {
		t.Errorf("texts were read %v times, want seven once each", got)
	}
}
