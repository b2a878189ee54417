package salesforce

import (
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/sfapi"
)

// readUpTo is how many ids one query names: its address must stay below 16,384 bytes (facts 2.6).
const readUpTo = 200

// stamp is an instant as SOQL writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// conditions are what a request's rows must fulfil, joined by AND; empty when everything does.
func (q *request) conditions() string {
	var all []string
	if !q.since.IsZero() {
		all = append(all, "SystemModstamp >= "+stamp(q.since))
	}
	if !q.until.IsZero() {
		all = append(all, "SystemModstamp < "+stamp(q.until))
	}
	if q.where != "" {
		all = append(all, "("+q.where+")")
	}
	return strings.Join(all, " AND ")
}

// where is a WHERE clause of conditions, or nothing.
func where(conditions ...string) string {
	var all []string
	for _, c := range conditions {
		if c != "" {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// behind is what rows after the last one that is dealt with fulfil, in the order of (SystemModstamp, Id). A row that is
// changed meanwhile moves behind it and is read once more, never past it unread.
func (p *Part) behind() string {
	if p.ID == "" {
		return ""
	}
	at := stamp(p.Modstamp)
	return "(SystemModstamp > " + at + " OR (SystemModstamp = " + at + " AND Id > " + sfapi.Quote(p.ID) + "))"
}

// listQuery selects the next rows of a part: as many as one call reads.
func (q *request) listQuery(p *Part, columns string, limit int) string {
	return "SELECT " + columns + " FROM " + p.Object + where(q.conditions(), p.behind()) +
		" ORDER BY SystemModstamp, Id LIMIT " + strconv.Itoa(limit)
}

// countQuery asks how many rows an object has in all.
func (q *request) countQuery(object string) string {
	return "SELECT COUNT() FROM " + object + where(q.conditions())
}

// jobQuery has a bulk job list the ids: without an order, which would keep Salesforce from reading in parallel.
func (q *request) jobQuery(object string) string {
	return "SELECT Id FROM " + object + where(q.conditions())
}

// namedQuery selects those of some ids that fulfil the conditions.
func (q *request) namedQuery(object, columns string, ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = sfapi.Quote(id)
	}
	return "SELECT " + columns + " FROM " + object + where("Id IN ("+strings.Join(quoted, ",")+")", q.conditions())
}

// named are the request's ids of one object.
func (q *request) named(object string) []string {
	var out []string
	for _, id := range q.ids {
		if strings.HasPrefix(id, prefixes[object]) {
			out = append(out, id)
		}
	}
	return out
}

// listJobFrom is from how many rows on their ids are listed by a bulk job, unless the configuration says otherwise.
const listJobFrom = 50_000

// first is the phase with which a part begins, when so many rows are expected.
func (q *request) first(object string, expected, bulk int64) Phase {
	_, note := noteObjects[object]
	switch {
	case len(q.ids) > 0:
		return PhaseNamed
	case !note && !q.restricted():
		return PhaseSnapshot
	case !note && expected > bulk:
		return PhaseJob
	}
	return PhaseRows
}

// then is the phase that follows one.
func (q *request) then(object string, p Phase) Phase {
	o, note := noteObjects[object]
	listed := p == PhaseJob || p == PhaseRows
	if listed && (!q.since.IsZero() || note && (!q.restricted() || !o.listed)) {
		return PhaseDeleted
	}
	return PhaseDone
}
