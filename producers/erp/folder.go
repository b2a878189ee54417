package erp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/config"
)

// folder is a source that imports whatever is put into a folder, in the order of the files' times.
//
// A complete file is first moved into importing/, so that a new one of the same name cannot take its place, is imported there, and
// then moved to done/ or rejected/. What lies in importing/ at a start is what a former run did not finish: it comes first, and
// what was published of it is unchanged.
type folder struct {
	p      *Producer
	source config.ERPSource
	seen   map[string]look // files that may still be written to
}

// look is how a file looked, and since when.
type look struct {
	size  int64
	at    time.Time
	since time.Time
}

// The places of a folder.
const (
	placeImporting = "importing"
	placeDone      = "done"
	placeRejected  = "rejected"
)

// unfinished are endings under which programs write before they rename.
var unfinished = []string{".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp"}

// Run looks into the folder until ctx ends.
func (f *folder) Run(ctx context.Context) error {
	f.seen = map[string]look{}
	return f.p.repeat(ctx, f.source.Folder.Interval, func(ctx context.Context) error {
		err := f.round(ctx)
		if err != nil && ctx.Err() == nil {
			f.p.report(f.source.Name, Result{}, err)
		}
		return err
	})
}

func (f *folder) place(parts ...string) string {
	return filepath.Join(append([]string{f.source.Folder.Path}, parts...)...)
}

// round imports what is complete. It stops at the first failure that is not the file's own, because a later file may say something
// newer about the same customers.
func (f *folder) round(ctx context.Context) error {
	for _, place := range []string{placeImporting, placeDone, placeRejected} {
		if err := os.MkdirAll(f.place(place), 0o750); err != nil {
			return fmt.Errorf("watch folder of source %q: %w", f.source.Name, err)
		}
	}
	left, err := regular(f.place(placeImporting))
	if err != nil {
		return err
	}
	for _, name := range names(left) {
		if err := f.take(ctx, name); err != nil {
			return err
		}
	}
	complete, err := f.complete()
	if err != nil {
		return err
	}
	for _, name := range complete {
		if err := f.claim(name); err != nil {
			return err
		}
		if err := f.take(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// regular lists the files of a directory, in the order of their times.
func regular(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into folder: %w", err)
	}
	var out []fs.FileInfo
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "~") {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, fmt.Errorf("look into folder: %w", err)
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	return out, nil
}

func names(list []fs.FileInfo) []string {
	out := make([]string, len(list))
	for i, info := range list {
		out[i] = info.Name()
	}
	return out
}

// complete lists the files that nobody writes to any more.
func (f *folder) complete() ([]string, error) {
	list, err := regular(f.source.Folder.Path)
	if err != nil {
		return nil, err
	}
	now, seen := time.Now(), map[string]look{}
	var out []string
	for _, info := range list {
		name := info.Name()
		if fits, _ := filepath.Match(f.source.Folder.Pattern, name); !fits || f.unfinished(name) {
			continue
		}
		if f.source.Folder.Ready != "" {
			if f.marked(info) {
				out = append(out, name)
			}
			continue
		}
		l := look{size: info.Size(), at: info.ModTime(), since: now}
		if before, ok := f.seen[name]; ok && before.size == l.size && before.at.Equal(l.at) {
			l.since = before.since
		}
		seen[name] = l
		if l.size > 0 && now.Sub(l.since) >= f.source.Folder.Settle && !writing(f.place(name)) {
			out = append(out, name)
		}
	}
	f.seen = seen
	return out, nil
}

func (f *folder) unfinished(name string) bool {
	ready := f.source.Folder.Ready
	return ready != "" && strings.HasSuffix(name, ready) ||
		slices.ContainsFunc(unfinished, func(end string) bool { return strings.HasSuffix(strings.ToLower(name), end) })
}

// marked reports that the file beside it says that the file is complete. A mark that is older than the file is that of a former
// file of this name.
func (f *folder) marked(info fs.FileInfo) bool {
	mark, err := os.Stat(f.place(info.Name() + f.source.Folder.Ready))
	return err == nil && !mark.ModTime().Before(info.ModTime())
}

// claim moves a file to where it is imported.
func (f *folder) claim(name string) error {
	if err := os.Rename(f.place(name), f.place(placeImporting, name)); err != nil {
		return fmt.Errorf("take %s: %w", f.place(name), err)
	}
	delete(f.seen, name)
	if f.source.Folder.Ready != "" {
		if err := os.Remove(f.place(name + f.source.Folder.Ready)); err != nil {
			return fmt.Errorf("take %s: %w", f.place(name), err)
		}
	}
	return nil
}

// take imports a claimed file and moves it to its last place.
func (f *folder) take(ctx context.Context, name string) error {
	path := f.place(placeImporting, name)
	if writing(path) {
		return fmt.Errorf("%w: %s is still open for writing", errChanged, path)
	}
	rejects := f.place(placeImporting, "."+name+".rejects")
	r, err := f.p.publisher.importFile(ctx, Import{Path: path, Source: f.source, RejectsPath: rejects})
	var fault *SourceError
	switch {
	case errors.As(err, &fault):
		f.p.cfg.Logger.Error("an ERP file was rejected as a whole", "org", f.p.cfg.org(), "source", f.source.Name, "file", name, "error", fault)
		return f.finish(name, placeRejected, rejects, fault.Error())
	case err != nil:
		return err
	}
	place := placeDone
	if r.Rejected > 0 || r.DeletesWithheld != "" {
		place = placeRejected
	}
	if r.RejectsFile != "" {
		r.RejectsFile = f.place(place, rejectsName(f.free(place, name)))
	}
	if err := f.finish(name, place, rejects, r.DeletesWithheld); err != nil {
		return err
	}
	f.p.report(f.source.Name, r, nil)
	f.p.logResult(f.source.Name, name, r)
	return nil
}

// finish moves a file and what is to be said of it to their last place. The file itself goes last: until then a restart
// imports it again.
func (f *folder) finish(name, place, rejects, said string) error {
	free := f.free(place, name)
	if said != "" {
		if err := os.WriteFile(f.place(place, free+".error.txt"), []byte(said+"\n"), 0o600); err != nil {
			return fmt.Errorf("finish %s: %w", name, err)
		}
	}
	if err := os.Rename(rejects, f.place(place, rejectsName(free))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish %s: %w", name, err)
	}
	if err := os.Rename(f.place(placeImporting, name), f.place(place, free)); err != nil {
		return fmt.Errorf("finish %s: %w", name, err)
	}
	f.p.cfg.Metrics.files.WithLabelValues(place).Inc()
	return nil
}

// free is the file's name, with a number when the place has a former one of that name.
func (f *folder) free(place, name string) string {
	for n := 2; ; n++ {
		free := name
		if n > 2 {
			free = trimExt(name) + "-" + strconv.Itoa(n-1) + filepath.Ext(name)
		}
		if _, err := os.Lstat(f.place(place, free)); errors.Is(err, fs.ErrNotExist) {
			return free
		}
	}
}

func rejectsName(name string) string { return trimExt(name) + ".rejects.csv" }
