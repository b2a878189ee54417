package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Load reads the file (none when path is empty), lays the environment over it, fills in defaults and validates. All that is
// wrong in any of these is reported at once, as Errors; text that is no YAML is reported alone.
// environ is os.Environ()'s form.
func Load(path string, environ []string) (*Config, error) {
	var c Config
	var wrong Errors
	where := "configuration"
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w; give an existing file with --config", err)
		}
		where += " " + path
		if err := decode(text, &c); err != nil && !errors.As(err, &wrong) {
			return nil, fmt.Errorf("read %s: %w", where, err)
		}
	}
	wrong = append(wrong, overlay(&c, environ)...)
	c.fill()
	var invalid Errors
	if errors.As(c.Validate(), &invalid) {
		wrong = append(wrong, invalid...)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%s: %w", where, wrong)
	}
	return &c, nil
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
	def(&c.Kafka.Group, "crosswalk")
	c.Kafka.SASL.Mechanism = strings.ToUpper(c.Kafka.SASL.Mechanism)
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
	o.Salesforce.APIVersion = strings.TrimPrefix(o.Salesforce.APIVersion, "v")
	if wholeVersion.MatchString(o.Salesforce.APIVersion) {
		o.Salesforce.APIVersion += ".0"
	}
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
	switch o.Link.NearMiss { // YAML readers of many programs write on and off so
	case "true":
		o.Link.NearMiss = "on"
	case "false":
		o.Link.NearMiss = "off"
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
