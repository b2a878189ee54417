package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"crosswalk/consumers/matcher"
	"crosswalk/producers/erp"
	"crosswalk/producers/salesforce"
)

// Line is one thing that people ask of an org, and its answer. What is urgent needs somebody.
type Line struct {
	What   string `json:"what"`
	Value  string `json:"value"`
	Urgent bool   `json:"urgent,omitempty"`
}

// overview says of an org, for people, what is matched, what needs somebody, and how fresh both sides are: from what its
// components say of themselves, now.
func overview(components map[string]any, now time.Time) []Line {
	o := &outline{now: now, lines: []Line{}}
	if m, ok := components[Matcher].(matcher.Status); ok {
		o.matching(&m)
	}
	if s, ok := components[Salesforce].(salesforce.Status); ok {
		o.reading(&s)
	}
	if c, ok := components[connecting].(Approval); ok && c.Awaited {
		o.approval(&c)
	}
	if sources, ok := components[ERP].(map[string]erp.State); ok {
		o.sources(sources)
	}
	return o.lines
}

type outline struct {
	now   time.Time
	lines []Line
}

func (o *outline) say(what, value string)    { o.lines = append(o.lines, Line{What: what, Value: value}) }
func (o *outline) urgent(what, value string) { o.lines = append(o.lines, Line{what, value, true}) }

// count says how many there are, and that somebody is needed when there is one.
func (o *outline) count(what string, n int) {
	o.lines = append(o.lines, Line{what, grouped(int64(n)), n > 0})
}

func (o *outline) matching(m *matcher.Status) {
	switch m.Phase {
	case matcher.Live:
	case matcher.Stopped, matcher.Warming, matcher.Standby:
		o.say("Matching", "another process does it, or is about to; this one is "+standing(m.Phase))
		return
	case matcher.Starting, matcher.Rebuilding:
		o.urgent("Matching", string(m.Phase)+": "+grouped(m.Lag)+" records of the topics are still to be read")
	}
	o.say("ERP customers", grouped(int64(m.Customers)))
	if m.Link == nil {
		o.urgent("Matched with Salesforce", "nothing: no link is set; 'crosswalk identifier suggest' ranks the fields that could be it")
	} else {
		o.say("Matched with Salesforce", grouped(int64(m.Matched))+share(m.Matched, m.Customers)+", by "+m.Link.String())
	}
	o.say("ERP customers without an account", grouped(int64(m.Unmatched.Customers)))
	o.say("Salesforce accounts without a customer", grouped(int64(m.Unmatched.Accounts)))
	o.count("Identifiers that several records have", m.Ambiguous)
	o.count("Alike but not equal (near misses)", m.NearMisses)
	o.say("Newest change from Salesforce", o.ago(m.SalesforceAt))
	o.say("Newest change from the ERP", o.ago(m.ERPAt))
	if m.DeadLetters > 0 {
		o.urgent("Records that could not be read", grouped(m.DeadLetters)+"; crosswalk.deadletter has them, with the reason")
	}
}

func (o *outline) approval(c *Approval) {
	if c.First {
		o.urgent("Approval in Salesforce", "nobody has allowed Crosswalk yet to read this org: click Connect in the console, or run 'crosswalk connect'")
		return
	}
	o.urgent("Approval in Salesforce", c.Why)
}

// standing says what a process does that does not own a matcher's task.
func standing(p matcher.Phase) string {
	switch p {
	case matcher.Warming:
		return "getting ready to stand by for it"
	case matcher.Standby:
		return "standing by for it"
	default:
		return "not standing by for it"
	}
}

func (o *outline) reading(s *salesforce.Status) {
	switch s.Phase {
	case "streaming":
		o.say("Reading Salesforce", "each change as it happens, read to its end "+o.ago(s.ReadTo))
	case "polling":
		o.say("Reading Salesforce", "by asking at intervals what has changed")
	case "snapshot":
		o.say("Reading Salesforce", "for the first time; changes are followed meanwhile")
	case "stopped":
		o.say("Reading Salesforce", "not in this process at the moment")
		return
	default:
		o.say("Reading Salesforce", s.Phase)
	}
	if i := s.Interrupted; i != nil {
		o.urgent("No events since "+o.ago(i.Since), i.Text)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Snapshots)) {
		if of := s.Snapshots[name]; of.Expected > of.Rows {
			o.say("First read of "+name, grouped(of.Rows)+" of "+grouped(of.Expected)+" rows"+share(int(of.Rows), int(of.Expected)))
		}
	}
	if s.Holes > 0 {
		o.urgent("Holes that are being repaired", grouped(int64(s.Holes)))
	}
	if s.LinkUnreadable != "" {
		o.urgent("The link's field", s.LinkUnreadable)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Polled)) {
		p := s.Polled[name]
		o.say(name, p.Text)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Notes)) {
		if failed := s.Notes[name].Failed; failed != "" {
			o.urgent("Notes: "+name, failed)
		}
	}
	o.budget(s.Budget)
	for i := range s.Backfills {
		if b := &s.Backfills[i]; !b.State.Over() {
			o.say("Backfill of "+strings.Join(b.Objects, ", "), string(b.State)+"; 'crosswalk backfill list' says how far ("+b.ID+")")
		}
	}
}

func (o *outline) budget(b *salesforce.BudgetStatus) {
	if b == nil {
		return
	}
	if b.Forecast != "" {
		o.say("API calls", b.Forecast)
	}
	if b.Note != "" {
		o.urgent("API limits", b.Note)
	}
	for _, p := range b.Paused {
		o.urgent("Waiting for the API budget: "+p.Work, p.Reason+"; it is expected to go on "+p.Until)
	}
}

func (o *outline) sources(all map[string]erp.State) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		switch {
		case s.Error != "":
			o.urgent("ERP source "+name, "fails since "+o.ago(s.Failing)+": "+s.Error)
		case s.Address != "":
			o.say("ERP source "+name, "takes customers at "+s.Address+", last "+o.ago(s.Last))
		default:
			o.say("ERP source "+name, s.Kind+", last read "+o.ago(s.Last))
		}
	}
}

// ago says how long before now a time was, in the unit that people would use.
func (o *outline) ago(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	d := max(0, o.now.Sub(t))
	for _, u := range []struct {
		below, unit time.Duration
		name        string
	}{{2 * time.Minute, time.Second, "s"}, {2 * time.Hour, time.Minute, "min"}, {48 * time.Hour, time.Hour, "h"}} {
		if d < u.below {
			return fmt.Sprintf("%d %s ago", d.Round(u.unit)/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d days ago", d.Round(24*time.Hour)/(24*time.Hour))
}

// share is a part of a whole in percent, rounded down so that not all is never 100 %.
func share(part, whole int) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d %%)", 100*part/whole)
}

// grouped writes a number with its thousands apart.
func grouped(n int64) string { return english.Sprintf("%d", n) }

var english = message.NewPrinter(language.English)
