package erp

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// digest identifies an encoded customer without its schema id and version, so that an unchanged one is not published again.
type digest [16]byte

func digestOf(body []byte) digest {
	whole := sha256.Sum256(body)
	return digest(whole[:16])
}

// known is what erp.customer says of one key: the newest version and whether it is a live customer of which source.
type known struct {
	version change.Version
	digest  digest
	source  uint16 // in directory.sources
	live    bool
}

// directory is the topic's latest record per key, in a form small enough to hold a million of them.
type directory struct {
	keys    map[string]known
	sources []string
	bySeen  map[string]uint16 // ce_source as it stands in the records -> source
}

func newDirectory() *directory {
	return &directory{keys: map[string]known{}, bySeen: map[string]uint16{}}
}

// add takes a record of the topic in offset order. A record older than the key's newest is ignored (R1).
func (d *directory) add(key string, k known) {
	if old, ok := d.keys[key]; ok && !old.version.Less(k.version) {
		return
	}
	d.keys[key] = k
}

// source returns the number of a source.
func (d *directory) source(name string) uint16 {
	if i := slices.Index(d.sources, name); i >= 0 {
		return uint16(i)
	}
	d.sources = append(d.sources, name)
	return uint16(len(d.sources) - 1)
}

// epoch is the greatest epoch in the topic.
func (d *directory) epoch() int64 {
	var e int64
	for _, k := range d.keys {
		e = max(e, k.version.Epoch)
	}
	return e
}

// since reports whether a customer of the source was published under a later epoch than the given one.
func (d *directory) since(source string, epoch int64) bool {
	n := d.source(source)
	for _, k := range d.keys {
		if k.source == n && k.version.Epoch > epoch {
			return true
		}
	}
	return false
}

// changed reports whether a customer differs from what the topic holds.
func (d *directory) changed(key, source string, content digest) bool {
	k, ok := d.keys[key]
	return !ok || !k.live || k.digest != content || d.sources[k.source] != source
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

// missing lists, in key order, the live customers of the source that a full list does not name.
func (d *directory) missing(source string, named func(key string) bool, share float64) ([]string, error) {
	live, n := 0, d.source(source)
	var gone []string
	for key, k := range d.keys {
		if !k.live || k.source != n {
			continue
		}
		live++
		if !named(key) {
			gone = append(gone, key)
		}
	}
	if float64(len(gone)) > share*float64(live) {
		return nil, &TooManyDeletesError{Source: source, Deletes: len(gone), Of: live, AllowedShare: share}
	}
	slices.Sort(gone)
	return gone, nil
}

const sourcePrefix = "/crosswalk/"

// sourceURI names the org and the source of a customer; it is how a full import knows which customers are its own.
func sourceURI(org, source string) string {
	return sourcePrefix + url.PathEscape(topic.OrgName(org)) + "/erp/" + url.PathEscape(source)
}

// read adds a record of the topic.
func (d *directory) read(r topic.Record) error {
	k := known{live: r.Value != nil, source: d.source("")}
	for _, h := range r.Headers {
		var err error
		switch h.Key {
		case "epoch":
			k.version.Epoch, err = strconv.ParseInt(string(h.Value), 10, 64)
		case "rev":
			k.version.Rev, err = strconv.ParseInt(string(h.Value), 10, 64)
		case "ce_source":
			k.source, err = d.sourceOf(h.Value)
		}
		if err != nil {
			return fmt.Errorf("read header %s: %w", h.Key, err)
		}
	}
	if k.live {
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		k.digest = digestOf(body)
	}
	d.add(string(r.Key), k)
	return nil
}

// sourceOf tells the source from the header.
func (d *directory) sourceOf(header []byte) (uint16, error) {
	if n, ok := d.bySeen[string(header)]; ok {
		return n, nil
	}
	_, escaped, _ := strings.Cut(strings.TrimPrefix(string(header), sourcePrefix), "/erp/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return 0, err
	}
	n := d.source(name)
	d.bySeen[string(header)] = n
	return n, nil
}
