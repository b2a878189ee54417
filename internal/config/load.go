package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"crosswalk/internal/nearest"
)

// Load reads the file (none when path is empty), lays the environment over it, fills in defaults and validates.
// environ is os.Environ()'s form.
func Load(path string, environ []string) (*Config, error) {
	var c Config
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w; give an existing file with --config", err)
		}
		if err := decode(text, &c); err != nil {
			return nil, fmt.Errorf("read configuration %s: %w", path, err)
		}
	}
	if err := overlay(&c, environ); err != nil {
		return nil, err
	}
	c.fill()
	if err := c.Validate(); err != nil {
		if path != "" {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return &c, nil
}

// decode reads YAML strictly: a key that is not known, or stands twice, is an error.
func decode(text []byte, c *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return readable(err)
	}
	return nil
}

// The parser's words for what is wrong in a line; a value that it quotes may be a secret and is left out.
var (
	unknownField = regexp.MustCompile(`^line ([0-9]+): field (\S+) not found in type (\S+)`)
	wrongType    = regexp.MustCompile(`^line ([0-9]+): cannot unmarshal (\S+) (?s:.*) into (\S+)$`)
)

// readable turns the parser's errors into sentences.
func readable(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%s; correct this line", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	out := make(Errors, len(wrong.Errors))
	for i, text := range wrong.Errors {
		out[i] = errors.New(sentence(text))
	}
	return out
}

func sentence(text string) string {
	if m := unknownField.FindStringSubmatch(text); m != nil {
		if m[3] == reflect.TypeFor[Fields]().String() {
			return fmt.Sprintf("line %s: fields cannot be chosen of %q; give %s", m[1], m[2], strings.Join(keysOf(reflect.TypeFor[Fields]()), " or "))
		}
		if near := nearest.Of(m[2], allKeys(), 2); near != "" {
			return fmt.Sprintf("line %s: unknown key %q; did you mean %q? Correct or remove it", m[1], m[2], near)
		}
		return fmt.Sprintf("line %s: unknown key %q; remove it, or see the README for the keys", m[1], m[2])
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("line %s: the value is no %s; correct it", m[1], typeWord(m[3]))
	}
	return text + "; correct this line"
}

// typeWord says what a Go type is called in a configuration.
func typeWord(t string) string {
	switch {
	case strings.HasPrefix(t, "[]"):
		return "list"
	case t == "int" || t == "float64":
		return "number"
	case t == "bool":
		return "true or false"
	case t == "time.Duration":
		return "duration (30s, 5m, 2h)"
	case t == "string" || strings.HasSuffix(t, ".String"):
		return "single text"
	}
	return "group of keys"
}

// keysOf lists the keys of one group.
func keysOf(group reflect.Type) (keys []string) {
	for i := range group.NumField() {
		keys = append(keys, group.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// allKeys lists every key of the configuration, at any depth.
func allKeys() []string {
	seen := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if tag := f.Tag.Get("yaml"); tag != "" {
				seen[tag] = true
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	return keys
}

// fill puts the defaults where nothing was said.
func (c *Config) fill() {
	def(&c.DataDir, "crosswalk-data")
	def(&c.Log.Level, "info")
	def(&c.Log.Format, "text")
	def(&c.Kafka.Listen, "127.0.0.1:0")
	def(&c.Kafka.Partitions, 4)
	def(&c.Kafka.Compression, "none")
	def(&c.Kafka.ClientID, "crosswalk")
	def(&c.Kafka.SessionTimeout, 10*time.Second)
	if c.Matcher.Standbys == nil {
		one := 1
		c.Matcher.Standbys = &one
	}
	def(&c.Console.Listen, "127.0.0.1:0")
	for i := range c.Orgs {
		c.Orgs[i].fill()
	}
}

// defInterval puts a default where nothing was said, and leaves a zero that was.
func defInterval(d **time.Duration, fallback time.Duration) {
	if *d == nil {
		*d = &fallback
	}
}

func (o *Org) fill() {
	if o.OrphanGrace == nil {
		grace := 60 * time.Second
		o.OrphanGrace = &grace
	}
	def(&o.ViewMaxBytes, 900_000)
	def(&o.Salesforce.LoginURL, "https://login.salesforce.com")
	def(&o.Salesforce.APIVersion, "66.0")
	def(&o.Salesforce.Notes.PollInterval, 5*time.Minute)
	def(&o.Salesforce.Notes.CompareInterval, time.Hour)
	def(&o.Salesforce.SilenceLimit, 5*time.Minute)
	def(&o.Salesforce.PollInterval, 5*time.Minute)
	defInterval(&o.Salesforce.SweepInterval, 24*time.Hour)
	defInterval(&o.Salesforce.RefreshInterval, 6*time.Hour)
	if o.Salesforce.APIReserve == nil {
		reserve := 0.2
		o.Salesforce.APIReserve = &reserve
	}
	if o.Salesforce.Notes.Objects == nil {
		o.Salesforce.Notes.Objects = []string{"Note", "Task"}
	}
	if o.Link.Set() {
		def(&o.Link.Cardinality, "one_to_one")
		def(&o.Link.NearMiss, "on")
	}
	def(&o.ERP.Push.MaxBodyBytes, 16<<20)
	for i := range o.ERP.Sources {
		o.ERP.Sources[i].Fill()
	}
}

// Fill puts the defaults where nothing was said.
func (s *ERPSource) Fill() {
	def(&s.Mode, "delta")
	def(&s.Attributes, "all")
	def(&s.MaxDeleteShare, new(0.2))
	def(&s.Encoding, "auto")
	def(&s.KeySeparator, "-")
	if s.DeletedColumn != "" && s.DeletedValues == nil {
		s.DeletedValues = []string{"true"}
	}
	if s.Folder.Path != "" {
		def(&s.Folder.Pattern, "*")
		def(&s.Folder.Settle, 10*time.Second)
		def(&s.Folder.Interval, 5*time.Second)
	}
	if s.Postgres.URL != "" {
		def(&s.Postgres.Interval, time.Minute)
		def(&s.Postgres.FullEvery, 24*time.Hour)
	}
	if s.Topic.Name != "" {
		def(&s.Topic.Format, "avro")
		def(&s.Topic.KeyFormat, "text")
	}
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
