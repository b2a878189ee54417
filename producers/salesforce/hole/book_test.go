package hole

import (
	"fmt"
	"reflect"
	"testing"

	"crosswalk/internal/change"
)

// TestOf has one event of each kind: what it leaves open, and what closes that.
func TestOf(t *testing.T) {
	t.Parallel()
	const a, b = "001000000000001AAA", "001000000000002AAA"
	for name, tc := range map[string]struct {
		kind   change.EventType
		ids    []string
		reason Reason
		repair Repair
		kept   []string
	}{
		"create":                {change.Create, []string{a}, "", "", nil},
		"update of two":         {change.Update, []string{a, b}, "", "", nil},
		"delete":                {change.Delete, []string{a}, "", "", nil},
		"undelete":              {change.Undelete, []string{a}, "", "", nil},
		"gap create":            {change.GapCreate, []string{a}, GapEvent, ByID, []string{a}},
		"gap update of two":     {change.GapUpdate, []string{a, b}, GapEvent, ByID, []string{a, b}},
		"gap delete":            {change.GapDelete, []string{a}, GapEvent, ByID, []string{a}},
		"gap undelete":          {change.GapUndelete, []string{a}, GapEvent, ByID, []string{a}},
		"overflow":              {change.GapOverflow, []string{"000000000000000AAA"}, Overflow, BySnapshot, nil},
		"overflow without id":   {change.GapOverflow, nil, Overflow, BySnapshot, nil},
		"wildcard":              {change.Update, []string{"001*"}, Wildcard, BySnapshot, nil},
		"gap of a wildcard":     {change.GapUpdate, []string{a, "001*"}, Wildcard, BySnapshot, nil},
		"empty id":              {change.Update, []string{"000000000000000AAA"}, Wildcard, BySnapshot, nil},
		"of a later release":    {"SNAPSHOT", []string{a}, UnknownEvent, ByID, []string{a}},
		"update without id":     {change.Update, nil, UnknownEvent, ByReconciliation, nil},
		"gap without id":        {change.GapUpdate, nil, UnknownEvent, ByReconciliation, nil},
		"unknown without an id": {"SNAPSHOT", nil, UnknownEvent, ByReconciliation, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ok := Of(&change.Event{Entity: "Account", Type: tc.kind, RecordIDs: tc.ids, ReplayID: 7, CommitTimestamp: 9})
			if ok != (tc.reason != "") || f.Reason != tc.reason || f.Repair != tc.repair {
				t.Fatalf("Of = %+v, %v; want %s repaired by %s", f, ok, tc.reason, tc.repair)
			}
			if ok && (!reflect.DeepEqual(f.IDs, tc.kept) || f.ReplayID != 7 || f.From != 9 || f.To != 9 || f.Why == "") {
				t.Errorf("Of = %+v", f)
			}
		})
	}
}

func gap(replayID int64, ids ...string) Finding {
	return Finding{Entity: "Account", Reason: GapEvent, Repair: ByID, IDs: ids, Lineage: 1, After: replayID - 1, ReplayID: replayID, From: replayID * 10, To: replayID * 10}
}

// TestABurstIsOneHole notes ten thousand gap events, some of them twice, and reads them: one hole with their bounds, closed when
// the position has passed the last of them.
func TestABurstIsOneHole(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	var ids []string
	for i := range 10_000 {
		id := fmt.Sprintf("001%015d", i)
		ids = append(ids, id)
		b.Note(gap(int64(100+i), id), 1000)
		if i%3 == 0 {
			b.Note(gap(int64(100+i), id), 1500) // delivered again
		}
	}
	told := b.Untold()
	if len(told) != 1 || told[0].ID != "acme/Account/gap_event/1-100" || len(b.Untold()) != 0 {
		t.Fatalf("told: %d", len(told))
	}
	for from := 0; from < len(ids); from += 2000 {
		b.Read("Account", ids[from:from+2000])
		b.Read("Account", ids[from:from+10]) // again for another purpose: not counted
		b.Read("Contact", ids[from:from+2000])
	}
	if b.Passed(1, 10_098) || len(b.Published(1, 10_098)) != 0 || len(b.Published(2, 20_000)) != 0 {
		t.Error("it is closed before the position has passed it")
	}
	closed := b.Published(1, 10_099)
	if len(closed) != 1 || b.Real() != 0 {
		t.Fatalf("closed: %d, open: %d", len(closed), b.Real())
	}
	h := closed[0]
	if h.Findings != 10_000 || h.Records != 10_000 || len(h.IDs) != MaxIDs || h.After != 99 || h.ReplayID != 10_099 || h.From != 1000 || h.To != 100_990 ||
		h.Calls != 5 || h.Read != 10_000 {
		t.Errorf("the hole is %+v", *h)
	}
}

// TestAHoleOutlivesItsProcess stores the book and goes on with it: the event comes again and is not counted twice.
func TestAHoleOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	b.Note(gap(5, "a"), 1000)
	b.Note(gap(6, "b"), 1000)
	b.Untold()
	b = NewBook("acme", b.Open())
	b.Note(gap(5, "a"), 9000)
	b.Note(gap(6, "b"), 9000)
	b.Note(gap(7, "c"), 9000)
	b.Read("Account", []string{"a", "b", "c"})
	closed := b.Published(1, 7)
	if len(b.Untold()) != 0 || len(closed) != 1 || closed[0].Findings != 3 || closed[0].Read != 3 || closed[0].OpenedAt != 1000 {
		t.Errorf("closed: %+v", closed)
	}
}

// TestBurstsEnd has gap events for longer than a burst: each minute is a hole of its own.
func TestBurstsEnd(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	for i := range 180 {
		b.Note(gap(int64(i+1), "a"), int64(i)*1000)
	}
	if n := len(b.Untold()); n != 3 {
		t.Errorf("%d holes in three minutes", n)
	}
	if closed := b.Published(1, 120); len(closed) != 2 || b.Real() != 1 {
		t.Errorf("%d closed", len(closed))
	}
}

// TestSnapshotsCloseWhatWasFoundBeforeThem finds an overflow before and one while a snapshot is read.
func TestSnapshotsCloseWhatWasFoundBeforeThem(t *testing.T) {
	t.Parallel()
	overflow := func(replayID int64) Finding {
		return Finding{Entity: "Account", Reason: Overflow, Repair: BySnapshot, Lineage: 1, ReplayID: replayID}
	}
	b := NewBook("acme", nil)
	b.Note(overflow(5), 1000)
	b.Note(overflow(6), 900_000)
	if !b.SnapshotOpened("Account", 2000) || b.SnapshotOpened("Contact", 2001) {
		t.Error("the snapshots cover something else")
	}
	b.Note(overflow(6), 2500) // again
	b.Note(overflow(9), 3000)
	if closed := b.SnapshotClosed("Account", 2000); len(closed) != 1 || closed[0].Findings != 2 {
		t.Errorf("the first snapshot closes %v", closed)
	}
	b.Lost() // whatever was covered is to be covered again
	b.SnapshotOpened("Account", 4000)
	b.Lost()
	if len(b.SnapshotClosed("Account", 4000)) != 0 {
		t.Error("a snapshot that was given up closes a hole")
	}
	b.SnapshotOpened("Account", 5000)
	if len(b.SnapshotClosed("Account", 5000)) != 1 || b.Real() != 0 {
		t.Error("the last snapshot leaves a hole open")
	}
}

// TestAFollowingSnapshotClosesWhatWasToBeReadByID gives the position up while records wait to be read.
func TestAFollowingSnapshotClosesWhatWasToBeReadByID(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	b.Note(gap(5, "a"), 1000)
	b.Lost()
	if b.Passed(1, 10) {
		t.Error("a replay id of another lineage closes it")
	}
	b.SnapshotOpened("Account", 2000)
	if len(b.SnapshotClosed("Account", 2000)) != 1 {
		t.Error("it stays open")
	}
}

// TestReconciliationsCloseWhatWasFoundBeforeThem finds an unreadable event before and one during a reconciliation.
func TestReconciliationsCloseWhatWasFoundBeforeThem(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	f := Finding{Reason: UnreadableEvent, Repair: ByReconciliation, Lineage: 1, ReplayID: 5}
	b.Note(f, 1000)
	b.ReconciliationBegins(999)
	if len(b.ReconciliationDone()) != 0 {
		t.Error("a reconciliation that does not reach so far closes it")
	}
	b.ReconciliationBegins(1000)
	f.ReplayID = 6
	b.Note(f, 1001)
	if closed := b.ReconciliationDone(); len(closed) != 1 || closed[0].ID != "acme/any/unreadable_event/1-5" {
		t.Errorf("closed: %v", closed)
	}
	b.ReconciliationBegins(2000)
	if len(b.ReconciliationDone()) != 1 || b.Real() != 0 {
		t.Error("the second stays open")
	}
}

// TestRefusedRecordsStayOpenUntilAVersionIsTaken refuses two records, one of them twice.
func TestRefusedRecordsStayOpenUntilAVersionIsTaken(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	for i, id := range []string{"a", "b", "a"} {
		b.Note(Finding{Entity: "Account", Reason: RefusedRecord, Repair: ByVersion, IDs: []string{id}}, int64(1000+i*Burst*2))
	}
	if ids, all := b.Refused("Account"); len(ids) != 2 || !all || len(b.Untold()) != 1 {
		t.Errorf("refused are %v, %v", ids, all)
	}
	b = NewBook("acme", b.Open())
	if len(b.Taken("Account", "c")) != 0 || len(b.Taken("Account", "a")) != 0 || len(b.Taken("Contact", "b")) != 0 || len(b.Taken("Account", "b")) != 1 {
		t.Error("it is closed with another record")
	}
	for i := range MaxIDs + 1 {
		b.Note(Finding{Entity: "Account", Reason: RefusedRecord, Repair: ByVersion, IDs: []string{fmt.Sprint(i)}}, 1)
	}
	if _, all := b.Refused("Account"); all {
		t.Error("all are known although there are too many")
	}
}

// TestRecordsThatAreReadAgain finds records, one of them twice and once more after a restart: the hole is closed with the last one that
// is read, and still says which they were.
func TestRecordsThatAreReadAgain(t *testing.T) {
	t.Parallel()
	b := NewBook("acme", nil)
	damaged := func(ids ...string) Finding {
		return Finding{Entity: "Account", Reason: DamagedRecord, Repair: ByReading, IDs: ids}
	}
	for i, id := range []string{"a", "b", "a"} {
		b.Note(damaged(id), int64(1000+i*Burst*2))
	}
	b = NewBook("acme", b.Open())
	b.Note(damaged("b"), 9_000_000)
	if left := b.Unread("Account"); !reflect.DeepEqual(left, []string{"a", "b"}) || b.Real() != 1 || !b.Waits("Account", "a") || b.Waits("Contact", "a") {
		t.Errorf("left are %v in %d holes", left, b.Real())
	}
	if len(b.Reread("Account", "c")) != 0 || len(b.Reread("Contact", "a")) != 0 || len(b.Reread("Account", "a")) != 0 || b.Waits("Account", "a") {
		t.Error("it is closed with another record")
	}
	b.Note(damaged("a"), 9_000_001) // damaged once more
	if len(b.Reread("Account", "b")) != 0 {
		t.Error("it is closed although a record is to be read again")
	}
	closed := b.Reread("Account", "a")
	if len(closed) != 1 || !reflect.DeepEqual(closed[0].IDs, []string{"a", "b"}) || closed[0].Findings != 2 {
		t.Errorf("closed: %+v", closed)
	}
	for i := range MaxIDs + 1 {
		b.Note(damaged(fmt.Sprint(i)), 1)
	}
	open := b.Open()
	if len(open) != 2 || open[0].ID == open[1].ID || len(open[0].Left) != MaxIDs || len(open[1].Left) != 1 {
		t.Errorf("the ids of %d records are not all kept, in holes of their own", MaxIDs+1)
	}
}
