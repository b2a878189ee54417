package cdc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator/cdc"
)

func channel(t *testing.T, l *cdc.Log, name string) cdc.Channel {
	t.Helper()
	c, err := l.Channel(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRetention(t *testing.T) {
	t.Parallel()
	now := at
	l := cdc.NewLog(cdc.Options{Clock: func() time.Time { return now }})
	all := channel(t, l, "/data/ChangeEvents")
	one := l.Commit(commit(change("DELETE", "Account", 1, nil)))
	now = now.Add(71 * time.Hour)
	two := l.Commit(commit(change("DELETE", "Account", 2, nil)))
	if _, err := l.Position(all, one); err != nil {
		t.Errorf("after 71 h: %v", err)
	}
	stale, _ := l.Position(all, -2)
	now = now.Add(2 * time.Hour)
	if _, err := l.Position(all, one); !errors.Is(err, cdc.ErrReplay) {
		t.Errorf("after 73 h: %v", err)
	}
	if _, _, err := l.Read(nil, stale, 10); !errors.Is(err, cdc.ErrExpired) {
		t.Errorf("read from an expired cursor: %v", err)
	}
	same(t, "what -2 replays", summary(read(t, l, "/data/ChangeEvents", cdc.Access{})), []string{"DELETE Account [2] 1"})
	l.Purge()
	if _, err := l.Position(all, two); !errors.Is(err, cdc.ErrReplay) {
		t.Errorf("after a purge: %v", err)
	}
	if id := l.Commit(commit(change("DELETE", "Account", 3, nil))); id <= two || l.Last() != id {
		t.Errorf("replay id %d after %d, last %d", id, two, l.Last())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{MaxBytes: 50_000})
	for n := range 1000 {
		l.Commit(commit(change("CREATE", "Account", n, fields{"Description": strings.Repeat("x", 500)})))
	}
	if events, bytes := l.Len(); bytes > 50_000 || bytes < 40_000 || events > 100 {
		t.Errorf("%d events of %d bytes are kept", events, bytes)
	}
}

func TestPositionIsOfTheChannel(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	ofAccount := l.Commit(commit(change("DELETE", "Account", 1, nil)))
	ofContact := l.Commit(commit(change("DELETE", "Contact", 2, nil)))
	contacts := channel(t, l, "/data/ContactChangeEvent")
	if _, err := l.Position(contacts, ofAccount); !errors.Is(err, cdc.ErrReplay) {
		t.Errorf("another channel's id: %v", err)
	}
	end, err := l.Position(contacts, ofContact)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "cursor one event back", l.Back(contacts, end, 1), end-1)
	same(t, "cursor as far back as there are events", l.Back(contacts, end, 9), end-2)
}

func TestChannels(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{Selected: []string{"Account"}, Exists: func(e string) bool { return e != "Note" }})
	if err := l.AddChannel("Sales__chn", cdc.Member{Entity: "Contact"}, cdc.Member{Entity: "Invoice__c"}); err != nil {
		t.Fatal(err)
	}
	l.Commit(commit(
		change("DELETE", "Account", 1, nil), change("DELETE", "Contact", 2, nil), cdc.Change{Entity: "Lead", ID: "00Q", Kind: "DELETE"},
		cdc.Change{Entity: "Invoice__c", ID: "a00000000000003AAA", Kind: "DELETE"},
	))
	for name, want := range map[string][]string{
		"/data/ChangeEvents":         {"DELETE Account [1] 1"},
		"/data/AccountChangeEvent":   {"DELETE Account [1] 1"},
		"/data/ContactChangeEvent":   {"DELETE Contact [2] 2"},
		"/data/LeadChangeEvent":      {},
		"/data/Sales__chn":           {"DELETE Contact [2] 2", "DELETE Invoice__c [3] 4"},
		"/data/Invoice__ChangeEvent": {"DELETE Invoice__c [3] 4"},
	} {
		same(t, name, summary(read(t, l, name, cdc.Access{})), want)
	}
	for _, name := range []string{"", "/data", "/data/", "/data/changeevents", "/data/ChangeEvent", "/data/NoteChangeEvent", "/data/Other__chn", "/topic/X", "/data/A/bChangeEvent"} {
		if _, err := l.Channel(name); !errors.Is(err, cdc.ErrNoChannel) {
			t.Errorf("channel %q: %v", name, err)
		}
	}
	for _, name := range []string{"Sales", "__chn", "a/b__chn"} {
		if l.AddChannel(name) == nil {
			t.Errorf("channel %q was added", name)
		}
	}
	same(t, "published", []bool{l.Published("Account"), l.Published("Contact"), l.Published("Lead"), l.Published("Note")}, []bool{true, true, false, false})
	same(t, "selected", l.Selected(), []string{"Account"})
	l.Select(nil)
	same(t, "selected", l.Selected(), []string(nil))
	same(t, "published", l.Published("Lead"), true)
}

func TestRedefinedSchema(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	before := l.Schema("Account")
	l.Commit(commit(change("DELETE", "Account", 1, nil)))
	same(t, "schema of the event", read(t, l, "/data/ChangeEvents", cdc.Access{})[0].Data.Schema, before)
	l.Redefine("Account")
	if l.Schema("Account") == before || l.Schema("Contact") == before {
		t.Error("schema ids do not differ")
	}
}

func TestChangedWakesOnce(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{Selected: []string{"Account"}})
	changed := l.Changed()
	l.Commit(commit(change("DELETE", "Contact", 1, nil)))
	select {
	case <-changed:
		t.Error("woken by an event that is not sent")
	default:
	}
	l.Commit(commit(change("DELETE", "Account", 1, nil)))
	<-changed
}

func TestALogThatBeginsAnewRefusesFormerPositions(t *testing.T) {
	t.Parallel()
	now := at
	opt := cdc.Options{Clock: func() time.Time { return now }, Seed: 7}
	former := cdc.NewLog(opt)
	same(t, "last id of an empty log", former.Last(), int64(0))
	var last int64
	for n := range 1000 {
		last = former.Commit(commit(change("DELETE", "Account", n, nil)))
	}
	now = now.Add(time.Second)
	l := cdc.NewLog(opt)
	for n := range 1000 {
		if id := l.Commit(commit(change("DELETE", "Account", n, nil))); id <= last || id >= 1<<53 {
			t.Fatalf("replay id %d after %d", id, last)
		}
	}
	if _, err := l.Position(channel(t, l, "/data/ChangeEvents"), last); !errors.Is(err, cdc.ErrReplay) {
		t.Errorf("a former log's id: %v", err)
	}
}
