// Package erp publishes the customers of an ERP to erp.customer.
//
// A file's row is read (table), becomes a customer by the source's mapping (mapper), is encoded as Avro and compared with
// what the topic holds (directory); only what differs is sent, and a full file deletes what it does not name. A row
// that cannot be taken becomes a reject with line, column and reason; the rest goes on.
//
// The topic itself is the state: an import reads it first, under the task's producer epoch, so that two imports at the same
// time cannot mix: the later one fences the earlier one.
//
// Metrics: crosswalk_erp_rows_total, crosswalk_erp_published_total, crosswalk_erp_unchanged_total, crosswalk_erp_deleted_total,
// crosswalk_erp_rejected_total, crosswalk_erp_last_import_timestamp_seconds.
package erp

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// Topic is the name of the customers' topic, without the org's prefix.
const Topic = "erp.customer"

// Config says where customers are published.
type Config struct {
	Org      string // alias, may be empty
	Topic    string // full name, with the org's prefix
	Kafka    *topic.Client
	Registry *registry.Client
	Writer   topic.WriterConfig // compression; task and topics are set here
	// Partitions and Replication of the topic when it has to be made; 0 is the cluster's default.
	Partitions, Replication int
	Logger                  *slog.Logger
	Metrics                 *Metrics
	Progress                func(total, done int64) // bytes of the file; may be nil
}

// Import is one file to publish.
type Import struct {
	Path        string
	Source      config.ERPSource // its Mode says full or delta
	RejectsPath string           // default RejectsPath(Path)
}

// Result counts what an import did.
type Result struct {
	Rows            int    `json:"rows"`      // good ones
	Published       int    `json:"published"` // new or changed
	Unchanged       int    `json:"unchanged"`
	Deleted         int    `json:"deleted"`
	Rejected        int    `json:"rejected"`
	RejectsFile     string `json:"rejects_file,omitempty"`
	DeletesWithheld string `json:"deletes_withheld,omitempty"` // why a full import deleted nothing
}

// importer is one import under way.
type importer struct {
	Config
	Import
	writer   *topic.Writer
	known    directory
	epoch    int64
	schemaID int
	result   Result
	file     os.FileInfo // as it was at the start
	now      time.Time
}

// Run imports one file: every good row is published, or already was, when it returns without an error. Nothing is
// published when the file, the mapping or the safety share refuses it as a whole.
func Run(ctx context.Context, cfg Config, im Import) (Result, error) {
	if im.RejectsPath == "" {
		im.RejectsPath = RejectsPath(im.Path)
	}
	i := &importer{Config: cfg, Import: im, now: time.Now()}
	info, err := os.Stat(im.Path)
	if err != nil {
		return i.result, fmt.Errorf("open ERP file: %w", err)
	}
	i.file = info
	// The file is looked at before Kafka is: a wrong column must not take the task from its owner.
	seen, unreadable, err := i.survey(ctx)
	if err != nil {
		return i.result, err
	}
	if err := i.takeOver(ctx); err != nil {
		return i.result, err
	}
	defer i.writer.Close()
	gone, err := i.toDelete(seen, unreadable)
	if err != nil {
		return i.result, err
	}
	if err := i.publish(ctx); err != nil {
		return i.result, err
	}
	if err := i.sameFile(); err != nil {
		return i.result, err
	}
	if err := i.remove(ctx, gone); err != nil {
		return i.result, err
	}
	if err := i.writer.Flush(ctx); err != nil {
		return i.result, fmt.Errorf("publish ERP customers to %s: %w", i.Topic, err)
	}
	i.Metrics.lastImport.SetToCurrentTime()
	return i.result, nil
}

// survey reads the whole file once: which keys it names, and how many rejected rows have no readable key. It writes the
// rejects file.
func (i *importer) survey(ctx context.Context) (seen map[string]bool, unreadable int, err error) {
	seen = map[string]bool{}
	rejects := &rejectsFile{path: i.RejectsPath}
	var body []byte
	s := &scanner{
		path: i.Path, source: i.Source, bytes: i.Progress,
		each: func(c *avro.Customer, line int) error {
			if body, err = c.Append(body[:0]); err != nil {
				return i.rejected(rejects, &RejectError{Line: line, Reason: err.Error()})
			}
			seen[key(c)] = true
			i.result.Rows++
			return nil
		},
		reject: func(r *RejectError, k string) error {
			if k == "" {
				unreadable++
			} else {
				seen[k] = true // a damaged row is not a missing customer
			}
			return i.rejected(rejects, r)
		},
	}
	err = s.run(ctx)
	if e := rejects.close(); err == nil {
		err = e
	}
	if rejects.count > 0 {
		i.result.RejectsFile = rejects.path
	}
	i.Metrics.rows.Add(float64(i.result.Rows + i.result.Rejected))
	return seen, unreadable, err
}

func (i *importer) rejected(f *rejectsFile, r *RejectError) error {
	i.result.Rejected++
	i.Metrics.rejected.Inc()
	i.Logger.Debug("ERP row rejected", "file", i.Path, "line", r.Line, "column", r.Column, "reason", r.Reason)
	return f.add(r)
}

// takeOver becomes the writer of the topic and reads what it holds.
func (i *importer) takeOver(ctx context.Context) (err error) {
	if err := i.Kafka.Ensure(ctx, topic.Spec{Name: i.Topic, Partitions: i.Partitions, Replication: i.Replication, Config: topicConfig}); err != nil {
		return err
	}
	if i.schemaID, err = i.Registry.Register(ctx, i.Topic+"-value", schemas.ERPCustomer); err != nil {
		return err
	}
	w := i.Writer
	w.Task, w.Topics = "crosswalk/"+i.Org+"/erp", []string{i.Topic}
	if i.writer, err = i.Kafka.NewWriter(ctx, w); err != nil {
		return err
	}
	i.known = directory{}
	_, err = i.Kafka.ReadAll(ctx, w.Topics, func(r topic.Record) error {
		k, err := knownOf(r)
		if err != nil {
			i.Logger.Warn("a record of the ERP topic is not ours and is overwritten when its customer is imported", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			return nil
		}
		i.known.add(string(r.Key), k)
		return nil
	})
	if err != nil {
		i.writer.Close()
		return err
	}
	i.epoch = i.known.epoch() + 1
	return nil
}

// toDelete decides, before anything is published, what a full import deletes.
func (i *importer) toDelete(seen map[string]bool, unreadable int) ([]string, error) {
	if i.Source.Mode != "full" {
		return nil, nil
	}
	if unreadable > 0 {
		i.result.DeletesWithheld = fmt.Sprintf("%d rejected rows have no readable customer number, so it is not known which customers are missing; correct them and import again", unreadable)
		return nil, nil
	}
	return i.known.missing(i.Source.Name, seen, i.Source.MaxDeleteShare)
}

// publish sends the customers that differ.
func (i *importer) publish(ctx context.Context) error {
	s := &scanner{
		path: i.Path, source: i.Source,
		reject: func(*RejectError, string) error { return nil }, // reported by the survey
		each: func(c *avro.Customer, _ int) error {
			value, err := c.Append(avro.Frame(nil, i.schemaID))
			if err != nil {
				return nil // reported by the survey
			}
			k := key(c)
			if !i.known.changed(k, i.Source.Name, sha256.Sum256(value[wireHeader:])) {
				i.result.Unchanged++
				i.Metrics.unchanged.Inc()
				return nil
			}
			i.result.Published++
			return i.send(ctx, k, value, change.OpUpdate)
		},
	}
	return s.run(ctx)
}

// sameFile refuses to delete by a file that somebody wrote to while it was read.
func (i *importer) sameFile() error {
	now, err := os.Stat(i.Path)
	if err != nil {
		return fmt.Errorf("look at the ERP file again: %w", err)
	}
	if now.Size() != i.file.Size() || !now.ModTime().Equal(i.file.ModTime()) {
		return fmt.Errorf("%s changed while it was imported: nothing was deleted; import it again when its writer is done", i.Path)
	}
	return nil
}

// wireHeader is the length of Confluent's frame before the Avro body.
const wireHeader = 5

// remove sends a tombstone for each key.
func (i *importer) remove(ctx context.Context, keys []string) error {
	for _, k := range keys {
		i.result.Deleted++
		if err := i.send(ctx, k, nil, change.OpDelete); err != nil {
			return err
		}
	}
	return nil
}

// send gives one record to the writer with its version: the first after a takeover raises the epoch (H14).
func (i *importer) send(ctx context.Context, k string, value []byte, op change.Op) error {
	v := change.Version{Epoch: i.epoch, Rev: i.known[k].version.Rev + 1}
	if op == change.OpUpdate && !i.known[k].live {
		op = change.OpCreate
	}
	r := topic.Record{Topic: i.Topic, Key: []byte(k), Value: value, Headers: i.headers(k, v, op)}
	err := i.writer.Send(ctx, r, func(r topic.Record, err error) {
		if err != nil {
			return // Flush returns it
		}
		if r.Value == nil {
			i.Metrics.deleted.Inc()
		} else {
			i.Metrics.published.Inc()
		}
	})
	if err != nil {
		return fmt.Errorf("publish customer %s to %s: %w", k, i.Topic, err)
	}
	return nil
}

// headers are the version (C2) and the CloudEvents binding of one record.
func (i *importer) headers(k string, v change.Version, op change.Op) []topic.Header {
	version := [2]string{strconv.FormatInt(v.Epoch, 10), strconv.FormatInt(v.Rev, 10)}
	h := func(name, value string) topic.Header { return topic.Header{Key: name, Value: []byte(value)} }
	lower := strings.ToLower(string(op))
	return []topic.Header{
		h("epoch", version[0]), h("rev", version[1]), h("op", lower),
		h("ce_specversion", "1.0"), h("ce_id", url.PathEscape(k)+"-"+version[0]+"-"+version[1]),
		h("ce_type", "crosswalk.erp.customer."+lower), h("ce_source", sourceURI(i.Org, i.Source.Name)),
		h("ce_time", i.now.UTC().Format("2006-01-02T15:04:05.000Z")), h("ce_subject", k),
	}
}

const sourcePrefix = "/crosswalk/"

// sourceURI names the org and the source of a customer; it is how a full import knows which customers are its own.
func sourceURI(org, source string) string {
	return sourcePrefix + url.PathEscape(org) + "/erp/" + url.PathEscape(source)
}

// knownOf reads what a record says of its key.
func knownOf(r topic.Record) (known, error) {
	k := known{live: r.Value != nil}
	for _, h := range r.Headers {
		var err error
		switch h.Key {
		case "epoch":
			k.version.Epoch, err = strconv.ParseInt(string(h.Value), 10, 64)
		case "rev":
			k.version.Rev, err = strconv.ParseInt(string(h.Value), 10, 64)
		case "ce_source":
			_, escaped, _ := strings.Cut(strings.TrimPrefix(string(h.Value), sourcePrefix), "/erp/")
			k.source, err = url.PathUnescape(escaped)
		}
		if err != nil {
			return known{}, fmt.Errorf("read header %s: %w", h.Key, err)
		}
	}
	if k.live {
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return known{}, err
		}
		k.digest = sha256.Sum256(body)
	}
	return k, nil
}

// topicConfig is that of every input topic: the last record per key stays, tombstones for 96 hours (R2).
var topicConfig = map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "345600000"}
