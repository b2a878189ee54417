package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time_zone works on machines that have no zones
)

// CustomerMembers are the members of an ERP customer that a source's columns and constants may name.
var CustomerMembers = []string{"company", "number", "name", "identifier", "balance", "currency", "terms", "email", "phone", "updated_at"}

// Presets are the names of the mappings that come with Crosswalk.
var Presets = []string{"dynamics365", "netsuite", "quickbooks", "sage_intacct", "sap", "xero"}

func (e *Errors) erp(at string, c *ERP) {
	names, pushed := map[string]bool{}, false
	for i := range c.Sources {
		s := &c.Sources[i]
		here := fmt.Sprintf("%s.sources[%d]", at, i)
		e.source(here, s)
		if names[s.Name] {
			e.add("%s.name %q is used twice; give each source its own", here, s.Name)
		}
		names[s.Name] = true
		pushed = pushed || s.Token != ""
	}
	if c.Push.Listen != "" {
		e.hostPort(at+".push.listen", c.Push.Listen)
	} else if pushed {
		e.add("%s.push.listen is missing; a source has a token, so say at which host:port customers are pushed", at)
	}
	if (c.Push.CertFile == "") != (c.Push.KeyFile == "") {
		e.add("%s.push.cert_file and key_file go together; set both or none", at)
	}
	if c.Push.MaxBodyBytes < 1024 || c.Push.MaxBodyBytes > 1<<30 {
		e.add("%s.push.max_body_bytes is %d; give 1024 to %d", at, c.Push.MaxBodyBytes, 1<<30)
	}
}

func (e *Errors) source(at string, s *ERPSource) {
	if s.Name == "" {
		e.add("%s.name is missing; name the source", at)
	}
	e.origin(at, s)
	e.oneOf(at+".mode", s.Mode, "full", "delta")
	e.oneOf(at+".attributes", s.Attributes, "all", "none")
	e.oneOf(at+".encoding", s.Encoding, "auto", "utf-8", "utf-16", "windows-1252")
	if s.Format != "" {
		e.oneOf(at+".format", s.Format, "csv", "json")
	}
	if s.Delimiter != "" {
		e.oneOf(at+".delimiter", s.Delimiter, ",", ";", "\t", "|")
	}
	if share := *s.MaxDeleteShare; share < 0 || share > 1 {
		e.add("%s.max_delete_share is %v; give a share from 0 to 1", at, share)
	}
	for _, pattern := range s.SkipRows {
		if _, err := regexp.Compile(pattern); err != nil {
			e.add("%s.skip_rows: %q is no regular expression: %v", at, pattern, err)
		}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		e.add("%s.time_zone %q is unknown; give a name such as Europe/Berlin", at, s.TimeZone)
	}
	e.members(at, s)
}

// members checks what maps columns to a customer.
func (e *Errors) members(at string, s *ERPSource) {
	if s.Preset != "" {
		e.oneOf(at+".preset", s.Preset, Presets...)
	}
	own := len(s.Columns) == 0 && (s.Token != "" || s.Format == "json" || s.Topic.Name != "" || s.Postgres.URL != "")
	if s.Columns["number"] == "" && s.Preset == "" && !own {
		e.add("%s.columns.number is missing; name the column that holds the customer number, or set preset", at)
	}
	for _, members := range []map[string]string{s.Columns, s.Constants} {
		for m := range members {
			e.member(at, m)
		}
	}
	for _, m := range s.Optional {
		e.member(at, m)
	}
	if s.KeySeparator == "" {
		e.add("%s.key_separator is empty; give a character that the columns do not contain", at)
	}
}

func (e *Errors) member(at, m string) {
	if !slices.Contains(CustomerMembers, m) {
		e.add("%s: %q is no member of a customer; use %s (other columns become attributes by themselves)", at, m, strings.Join(CustomerMembers, ", "))
	}
}

// origin checks where the rows come from.
func (e *Errors) origin(at string, s *ERPSource) {
	var origins []string
	for name, set := range map[string]bool{
		"path": s.Path != "", "folder": s.Folder.Path != "", "token": s.Token != "", "postgres": s.Postgres.URL != "", "topic": s.Topic.Name != "",
	} {
		if set {
			origins = append(origins, name)
		}
	}
	if len(origins) > 1 {
		slices.Sort(origins)
		e.add("%s has %s; keep one, and make the other a source of its own", at, strings.Join(origins, " and "))
	}
	if s.Token != "" && len(s.Token) < 16 {
		e.add("%s.token has fewer than 16 characters; give a random one", at)
	}
	if f := s.Folder; f.Path != "" {
		if _, err := filepath.Match(f.Pattern, ""); err != nil {
			e.add("%s.folder.pattern %q is no pattern; write one such as *.csv", at, f.Pattern)
		}
		e.positive(at+".folder.settle", f.Settle)
		e.positive(at+".folder.interval", f.Interval)
	}
	if p := s.Postgres; p.URL != "" {
		if strings.TrimSpace(p.Query) == "" {
			e.add("%s.postgres.query is missing; give the SELECT whose rows are customers", at)
		}
		e.positive(at+".postgres.interval", p.Interval)
		e.positive(at+".postgres.full_every", p.FullEvery)
		_, duration := time.ParseDuration(p.Overlap)
		_, number := strconv.ParseUint(p.Overlap, 10, 63)
		if p.Overlap != "" && duration != nil && number != nil {
			e.add("%s.postgres.overlap %q is neither a duration nor a whole number; write 5m for a cursor of times, 1000 for one of numbers", at, p.Overlap)
		}
	}
	if s.Topic.Name != "" {
		e.oneOf(at+".topic.format", s.Topic.Format, "avro", "json")
		e.oneOf(at+".topic.key_format", s.Topic.KeyFormat, "text", "avro", "json")
	}
}

func (e *Errors) positive(key string, d time.Duration) {
	if d <= 0 {
		e.add("%s is %s; give more than 0, e.g. 10s", key, d)
	}
}
