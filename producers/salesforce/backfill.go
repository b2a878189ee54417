package salesforce

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
)

// Backfill is a request to read records again and how far it is. It is what crosswalk.position keeps of it under
// backfill/ID: written only after what it stands for is acknowledged.
type Backfill struct {
	ID          string        `json:"id"`
	State       BackfillState `json:"state"`
	Objects     []string      `json:"objects"`
	Since       time.Time     `json:"since,omitzero"` // only rows with a SystemModstamp at or after this
	Until       time.Time     `json:"until,omitzero"` // and before this
	IDs         int           `json:"ids,omitempty"`  // how many records were named
	Where       string        `json:"where,omitempty"`
	RequestedAt time.Time     `json:"requested_at"`
	RequestedBy string        `json:"requested_by,omitempty"`
	StartedAt   time.Time     `json:"started_at,omitzero"`
	EndedAt     time.Time     `json:"ended_at,omitzero"`
	SteeredAt   time.Time     `json:"steered_at,omitzero"` // of the newest pause, resume or cancel that was followed
	Reason      string        `json:"reason,omitempty"`    // why it failed, and what to do
	Notes       []string      `json:"notes,omitempty"`     // what it could not cover
	Parts       []Part        `json:"parts"`               // one per object, in the order of Objects
}

// BackfillState says what becomes of a backfill.
type BackfillState string

// The states of a backfill.
const (
	BackfillWaiting   BackfillState = "waiting" // for its turn
	BackfillRunning   BackfillState = "running"
	BackfillPaused    BackfillState = "paused"
	BackfillDone      BackfillState = "done"
	BackfillCancelled BackfillState = "cancelled"
	BackfillFailed    BackfillState = "failed"
	BackfillUnknown   BackfillState = "unknown" // what is stored of it cannot be read; never stored
)

// Over reports whether nothing more becomes of it.
func (s BackfillState) Over() bool {
	return s == BackfillDone || s == BackfillCancelled || s == BackfillFailed
}

// after is the state that a pause, a resume or a cancel leads to.
func (s BackfillState) after(kind string) BackfillState {
	switch {
	case s.Over():
		return s
	case kind == AskCancel:
		return BackfillCancelled
	case kind == AskPause:
		return BackfillPaused
	case kind == AskResume && s == BackfillPaused:
		return BackfillWaiting
	}
	return s
}

// Part is how far a backfill is with one object.
type Part struct {
	Object   string `json:"object"`
	Phase    Phase  `json:"phase,omitempty"`
	Expected int64  `json:"expected"` // records, as far as known
	Read     int64  `json:"read"`     // of them, read
	Changed  int64  `json:"changed"`  // records that differed from what was published; not counted for snapshots
	Deleted  int64  `json:"deleted"`  // records found in lists of deletions
	Rejected int64  `json:"rejected"` // rows that went to the dead letter topic while this part was read

	Modstamp time.Time `json:"modstamp,omitzero"` // with ID the last row of the list that is dealt with
	ID       string    `json:"id,omitempty"`
	Named    int       `json:"named,omitempty"`   // how many of the named ids are dealt with
	Job      string    `json:"job,omitempty"`     // bulk job that lists ids
	Locator  string    `json:"locator,omitempty"` // of its first page that is not dealt with
	Seconds  float64   `json:"seconds,omitempty"` // how long reading took, without pauses and waiting for the budget
	Asked    int64     `json:"asked,omitempty"`   // the newest read when the snapshot was asked for, epoch milliseconds
}

// Phase says what a Part does.
type Phase string

// The phases of a part, in the order in which those that it needs follow each other.
const (
	PhaseBegin    Phase = ""         // nothing yet
	PhaseSnapshot Phase = "snapshot" // waiting for the object's snapshot
	PhaseNamed    Phase = "named"    // reading the records that were named
	PhaseJob      Phase = "job"      // reading what a bulk job lists
	PhaseRows     Phase = "rows"     // reading what queries list
	PhaseDeleted  Phase = "deleted"  // looking at what is gone
	PhaseDone     Phase = "done"
)

// Progress returns how many of how many records are read, over all objects; expected is 0 while nothing is known.
func (b *Backfill) Progress() (read, expected int64) {
	for _, p := range b.Parts {
		read, expected = read+p.Read, expected+max(p.Expected, p.Read)
	}
	return read, expected
}

// Changed returns how many records differed from what was published.
func (b *Backfill) Changed() (n int64) {
	for _, p := range b.Parts {
		n += p.Changed
	}
	return n
}

// Whole reports that it is done, covered all that was asked for, and rejected no row.
func (b *Backfill) Whole() bool {
	rejected := slices.ContainsFunc(b.Parts, func(p Part) bool { return p.Rejected > 0 })
	return b.State == BackfillDone && len(b.Notes) == 0 && !rejected
}

// request is what was asked for, ids included.
type request struct {
	id, by  string
	at      time.Time
	objects []string
	since   time.Time
	until   time.Time
	ids     []string
	where   string
	wrong   error // why it cannot be done
}

func requestOf(r *avro.Control) *request {
	q := &request{id: r.ID, at: time.UnixMilli(r.RequestedAt).UTC()}
	if r.RequestedBy != nil {
		q.by = *r.RequestedBy
	}
	b := r.Backfill
	if b == nil {
		b = &avro.Backfill{} // refused for having no object
	}
	q.objects = b.Objects
	q.ids, q.wrong = CheckBackfill(b)
	if b.Since != nil {
		q.since = time.UnixMilli(*b.Since).UTC()
	}
	if b.Until != nil {
		q.until = time.UnixMilli(*b.Until).UTC()
	}
	if b.Where != nil {
		q.where = strings.TrimSpace(*b.Where)
	}
	return q
}

// restricted reports whether not the whole of the objects is asked for.
func (q *request) restricted() bool {
	return !q.since.IsZero() || !q.until.IsZero() || len(q.ids) > 0 || q.where != ""
}

// backfill is the request's beginning.
func (q *request) backfill() *Backfill {
	b := &Backfill{
		ID: q.id, State: BackfillWaiting, Objects: q.objects, Since: q.since, Until: q.until, IDs: len(q.ids), Where: q.where,
		RequestedAt: q.at, RequestedBy: q.by,
	}
	for _, object := range q.objects {
		b.Parts = append(b.Parts, Part{Object: object})
	}
	return b
}

// RequestedBackfill is the beginning of what a control record of kind AskBackfill asks for, before any producer took it up.
func RequestedBackfill(r *avro.Control) Backfill { return *requestOf(r).backfill() }

// steer is a pause, a resume or a cancel.
type steer struct {
	kind, backfill string // all of the org's backfills when empty
	at             time.Time
}

func steerOf(r *avro.Control) steer {
	s := steer{kind: r.Kind, at: time.UnixMilli(r.RequestedAt).UTC()}
	if r.Task != nil {
		s.backfill = strings.TrimPrefix(*r.Task, "backfill/")
	}
	return s
}

// obey follows what was asked since the backfill was last steered, oldest first. It reports whether anything was.
func (b *Backfill) obey(steers []steer) bool {
	slices.SortStableFunc(steers, func(x, y steer) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.kind, y.kind)) })
	obeyed := false
	for _, s := range steers {
		about := s.backfill == b.ID || s.backfill == "" && s.at.After(b.RequestedAt)
		if !about || !s.at.After(b.SteeredAt) || b.State.Over() {
			continue
		}
		b.State, b.SteeredAt, obeyed = b.State.after(s.kind), s.at, true
	}
	return obeyed
}

// maxNamed is how many ids a backfill may name: as many as fit into one record of Kafka's default size.
const maxNamed = 40_000

// BackfillObjects are the objects that can be backfilled.
var BackfillObjects = []string{"Account", "Contact", "Note", "Task", "ContentNote"}

// prefixes are the first three characters of the objects' ids.
var prefixes = map[string]string{"Account": "001", "Contact": "003", "Note": "002", "Task": "00T", "ContentNote": "069"}

// CheckBackfill says why something cannot be asked for; nil when it can. Ids are returned in their 18 characters, each once.
func CheckBackfill(a *avro.Backfill) (ids []string, err error) {
	if len(a.Objects) == 0 {
		return nil, fmt.Errorf("a backfill needs an object: give one or more of %s", strings.Join(BackfillObjects, ", "))
	}
	for i, object := range a.Objects {
		if !slices.Contains(BackfillObjects, object) {
			return nil, fmt.Errorf("%q cannot be backfilled: give one or more of %s", object, strings.Join(BackfillObjects, ", "))
		}
		if slices.Contains(a.Objects[:i], object) {
			return nil, fmt.Errorf("%s is named twice: name each object once", object)
		}
	}
	if a.Since != nil && a.Until != nil && *a.Since >= *a.Until {
		return nil, fmt.Errorf("the time window ends (%s) before it begins (%s): exchange since and until", dateText(*a.Until), dateText(*a.Since))
	}
	if len(a.IDs) > maxNamed {
		return nil, fmt.Errorf("%d ids are named and one backfill takes %d: ask for them in several, or by a condition", len(a.IDs), maxNamed)
	}
	for _, id := range a.IDs {
		whole, ok := wholeID(id)
		if !ok {
			return nil, fmt.Errorf("%q is no Salesforce id: give 15 or 18 characters as Salesforce shows them, upper and lower case kept", id)
		}
		if objectOf(whole, a.Objects) == "" {
			return nil, fmt.Errorf("the id %s is of no %s: its first characters say which object it is of (%s)", id, strings.Join(a.Objects, " or "), prefixList(a.Objects))
		}
		ids = append(ids, whole)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func dateText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func prefixList(objects []string) string {
	var out []string
	for _, o := range objects {
		out = append(out, o+" "+prefixes[o])
	}
	return strings.Join(out, ", ")
}

// objectOf returns which of the objects an id is of, by its first three characters.
func objectOf(id string, objects []string) string {
	for _, o := range objects {
		if strings.HasPrefix(id, prefixes[o]) {
			return o
		}
	}
	return ""
}

// wholeID returns an id in its 18 characters (facts 2.9). One of 18 whose last three are not its checksum is none: its case
// was lost on the way.
func wholeID(id string) (string, bool) {
	if len(id) != 15 && len(id) != 18 {
		return "", false
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	whole := []byte(id[:15])
	for group := range 3 {
		bits := 0
		for i, c := range []byte(id[group*5 : group*5+5]) {
			switch {
			case c >= 'A' && c <= 'Z':
				bits |= 1 << i
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			default:
				return "", false
			}
		}
		whole = append(whole, digits[bits])
	}
	if len(id) == 18 && !strings.EqualFold(id[15:], string(whole[15:])) {
		return "", false
	}
	return string(whole), true
}
