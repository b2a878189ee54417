package erp

import (
	"fmt"
	"slices"

	"crosswalk/internal/change"
)

// known is what erp.customer says of one key: the newest version and whether it is a live customer of which source.
type known struct {
	version change.Version
	digest  digest
	source  string
	live    bool
}

// directory is the topic's latest record per key.
type directory map[string]known

// add takes a record of the topic in offset order. A record older than the key's newest is ignored (R1).
func (d directory) add(key string, k known) {
	if old, ok := d[key]; ok && !old.version.Less(k.version) {
		return
	}
	d[key] = k
}

// epoch is the greatest epoch in the topic.
func (d directory) epoch() int64 {
	var e int64
	for _, k := range d {
		e = max(e, k.version.Epoch)
	}
	return e
}

// changed reports whether a customer differs from what the topic holds.
func (d directory) changed(key, source string, content digest) bool {
	k, ok := d[key]
	return !ok || !k.live || k.digest != content || k.source != source
}

// TooManyDeletesError refuses a full import that would delete more than the source's safety share.
type TooManyDeletesError struct {
	Source       string
	Deletes, Of  int
	AllowedShare float64
}

func (e *TooManyDeletesError) Error() string {
	return fmt.Sprintf("refused: this full import of source %q would delete %d of %d customers, more than the allowed share of %.0f %%; nothing was published. Check that the file is complete; if it is, raise max_delete_share or use --max-delete-share 1",
		e.Source, e.Deletes, e.Of, e.AllowedShare*100)
}

// missing lists, in key order, the live customers of the source that a full file does not name.
func (d directory) missing(source string, seen map[string]bool, share float64) ([]string, error) {
	live := 0
	var gone []string
	for key, k := range d {
		if !k.live || k.source != source {
			continue
		}
		live++
		if !seen[key] {
			gone = append(gone, key)
		}
	}
	if float64(len(gone)) > share*float64(live) {
		return nil, &TooManyDeletesError{Source: source, Deletes: len(gone), Of: live, AllowedShare: share}
	}
	slices.Sort(gone)
	return gone, nil
}
