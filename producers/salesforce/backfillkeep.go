package salesforce

import (
	"slices"
	"time"
)

// So many of the backfills that are over are kept, and for so long: an org's topics do not grow with what people ask for. The
// audit keeps all.
const (
	keptBackfills = 100
	keptFor       = 30 * 24 * time.Hour
)

// Outdated returns the ids of the backfills that need not be kept any more. Whoever asks for another withdraws them: first the
// request in crosswalk.control, upon which the producer forgets what became of it.
func Outdated(all []Backfill, now time.Time) (ids []string) {
	var over []*Backfill
	for i := range all {
		if all[i].State.Over() {
			over = append(over, &all[i])
		}
	}
	slices.SortFunc(over, older)
	for i, b := range over {
		if i < len(over)-keptBackfills || now.Sub(b.EndedAt) > keptFor {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// WithdrawnKeys are the keys of crosswalk.control under which a backfill was asked for and steered.
func WithdrawnKeys(org, id string) (keys []string) {
	for _, kind := range []string{AskBackfill, AskPause, AskResume, AskCancel} {
		keys = append(keys, ControlKey(org, kind, id))
	}
	return keys
}
