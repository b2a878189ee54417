package erp

import (
	"context"
	"errors"
	"fmt"
	"os"

	"crosswalk/internal/config"
	"crosswalk/producers/erp/mapping"
	"crosswalk/producers/erp/rows"
)

// Import is one file to publish.
type Import struct {
	Path        string
	Source      config.ERPSource        // its Mode says full or delta
	RejectsPath string                  // default RejectsPath(Path)
	Progress    func(total, done int64) // bytes of the file; may be nil
}

// errChanged says that somebody wrote to a file while it was imported.
var errChanged = errors.New("the file changed while it was imported")

// SupersededError ends an import by hand that lost the topic to another one of the same source: which of both lists is the
// newer one only a person knows.
type SupersededError struct{ Path, Source string }

func (e *SupersededError) Error() string {
	return fmt.Sprintf("import of %s stopped: customers of source %q were imported elsewhere meanwhile; look which file is the newer one, and import that again", e.Path, e.Source)
}

// ImportFile imports one file: every good row is published, or already was, when it returns without an error. Nothing is
// published when the file, the mapping or the safety share refuses it as a whole (*SourceError).
func ImportFile(ctx context.Context, cfg Config, im Import) (Result, error) {
	p := newPublisher(&cfg, false)
	defer p.close()
	return p.importFile(ctx, im)
}

// importFile imports a file in its two readings. The file is looked at before Kafka is: a wrong column must not take the task from
// its owner.
func (p *publisher) importFile(ctx context.Context, im Import) (_ Result, err error) {
	if im.RejectsPath == "" {
		im.RejectsPath = RejectsPath(im.Path)
	}
	f, err := os.Open(im.Path)
	if err != nil {
		return Result{}, &SourceError{fmt.Errorf("open ERP file: %w; give the path of an export that this user may read", err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Result{}, &SourceError{fmt.Errorf("open ERP file: %w", err)}
	}
	if info.IsDir() {
		return Result{}, &SourceError{fmt.Errorf("open ERP file: %s is a folder; give an export in it, or configure it as orgs[].erp.sources[].folder and run crosswalk run erp", im.Path)}
	}
	rejects := &rejectsFile{path: im.RejectsPath}
	j := fileJob(p.cfg, im.Source, im.Path, f)
	j.reject = rejects.add
	j.before = func(context.Context) error { return sameFile(im.Path, f, info) }
	if im.Progress != nil {
		j.progress = func(offset int64) { im.Progress(info.Size(), offset) }
	}
	err = j.survey(ctx)
	if e := rejects.close(); err == nil {
		err = e
	}
	if rejects.count > 0 {
		j.result.RejectsFile = rejects.path
	}
	if err != nil {
		return j.result, err
	}
	j.progress = nil
	return j.result, p.do(ctx, p.once(im, j))
}

// once is the job of an import, which an import by hand does not begin anew over a later one of its source.
func (p *publisher) once(im Import, j *job) func(context.Context, *session) error {
	epoch := int64(0)
	return func(ctx context.Context, s *session) error {
		if !p.patient && epoch != 0 && s.since(im.Source.Name, epoch) {
			return &SupersededError{Path: im.Path, Source: im.Source.Name}
		}
		epoch = s.epoch
		return j.run(ctx, s)
	}
}

// fileJob reads a file that is open.
func fileJob(cfg *Config, source config.ERPSource, name string, f *os.File) *job {
	options := rows.Options{
		Format: source.Format, Encoding: rows.Encoding(source.Encoding), Delimiter: source.Delimiter, Header: mapping.Header(source),
	}
	return &job{
		cfg: cfg, source: source, name: name, full: source.Mode == "full", inHand: true, columns: true,
		open: func() (rows.Reader, error) {
			r, err := rows.Open(name, f, options)
			if err != nil {
				return nil, &SourceError{err}
			}
			return r, nil
		},
	}
}

// sameFile refuses to delete by a file that somebody wrote to, or replaced, while it was read.
func sameFile(path string, f *os.File, before os.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at the ERP file again: %w", err)
	}
	there, err := os.Stat(path)
	if err != nil || !os.SameFile(before, there) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) {
		return fmt.Errorf("%w: %s: nothing was deleted; import it again when its writer is done", errChanged, path)
	}
	return nil
}

// file is a source that is imported once, at start.
type file struct {
	p      *Producer
	source config.ERPSource
}

// Run imports the file. A file that cannot be imported ends the task, so that whoever started it sees why.
func (f *file) Run(ctx context.Context) error {
	r, err := f.p.publisher.importFile(ctx, Import{Path: f.source.Path, Source: f.source})
	if ctx.Err() != nil {
		return nil
	}
	f.p.report(f.source.Name, r, err)
	if err != nil {
		return fmt.Errorf("import ERP source %q: %w", f.source.Name, err)
	}
	f.p.logResult(f.source.Name, f.source.Path, r)
	return nil
}
