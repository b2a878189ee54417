package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce"
)

// read describes an object and counts what the user sees of it.
func (e *examination) read(ctx context.Context, object string) result {
	d, err := e.client.Describe(ctx, object)
	if err != nil {
		r := failed(err)
		if sfapi.NextOf(err) == sfapi.NextGone {
			r.advice = fmt.Sprintf("the user may not read %s: %s > Object Settings > %s > Read and View All Records", object, clickPermission, object)
		}
		return r
	}
	e.describes[object] = d
	n, err := e.client.Count(ctx, "SELECT COUNT() FROM "+object, sfapi.QueryOptions{})
	switch {
	case sfapi.NextOf(err) == sfapi.NextNarrow && err != nil:
		return noted("the org is large; the snapshot reads it through the Bulk API", "%d fields readable; counting the records took too long", len(d.Fields))
	case err != nil:
		return failed(err)
	case n == 0:
		return noted("the org is empty, or sharing hides everything from this user: "+clickPermission+" > Object Settings > "+object+" > View All Records", "%d fields readable, no record visible", len(d.Fields))
	}
	return good("%d fields readable, %d records visible", len(d.Fields), n)
}

// needed are the fields without which nothing comes together; usual are those that every org has and that people miss when
// field-level security hides them.
var (
	needed = map[string][]string{
		"Account": {"Id", "Name", "SystemModstamp", "LastModifiedDate", "CreatedDate"},
		"Contact": {"Id", "Name", "AccountId", "SystemModstamp", "LastModifiedDate", "CreatedDate"},
	}
	usual = map[string][]string{
		"Account": {"AccountNumber", "Type", "Phone", "Fax", "Website", "Industry", "Description", "OwnerId", "ParentId", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry"},
		"Contact": {"FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "Department", "Description", "OwnerId", "MailingStreet", "MailingCity", "MailingPostalCode", "MailingCountry"},
	}
)

// fields compares what describe shows with what every org has: a hidden field is absent from it, and from every event,
// without an error anywhere (facts 8).
func (e *examination) fields(ctx context.Context, object string) result {
	d := e.describes[object]
	if d == nil {
		return unchecked(object + " cannot be read")
	}
	missing := func(names []string) (out []string) {
		for _, n := range names {
			if _, ok := d.Field(n); !ok {
				out = append(out, n)
			}
		}
		return out
	}
	where := fmt.Sprintf("Setup > Object Manager > %s > Fields & Relationships > the field > Set Field-Level Security, or %s > Object Settings > %s > Field Permissions", object, clickPermission, object)
	if names := missing(needed[object]); len(names) > 0 {
		return wrong("records cannot be put together without them; make them visible: "+where, "hidden: %s", strings.Join(names, ", "))
	}
	if names := missing(usual[object]); len(names) > 0 {
		return noted("they will be missing from the topics, never null; if they are wanted: "+where, "hidden: %s", strings.Join(names, ", "))
	}
	hidden, err := e.hiddenCustom(ctx, d)
	switch {
	case err != nil:
		return good("none of the usual standard fields is hidden; which custom fields are hidden cannot be told by this user (View Setup and Configuration)")
	case len(hidden) > 0:
		return noted("they will be missing from the topics, never null; if they are wanted: "+where, "hidden custom fields: %s", strings.Join(hidden, ", "))
	}
	return good("none of the usual standard fields is hidden, and no custom field")
}

// hiddenCustom lists the custom fields that the org has and describe does not show. An error says that the user may not look.
func (e *examination) hiddenCustom(ctx context.Context, d *sfapi.Describe) (hidden []string, err error) {
	soql := "SELECT DeveloperName, NamespacePrefix FROM CustomField WHERE TableEnumOrId = '" + d.Name + "'"
	for record, err := range e.client.Query(ctx, soql, sfapi.QueryOptions{Tooling: true}) {
		var field struct{ DeveloperName, NamespacePrefix string }
		if err == nil {
			err = json.Unmarshal(record, &field)
		}
		if err != nil {
			return nil, err
		}
		name := field.DeveloperName + "__c"
		if field.NamespacePrefix != "" {
			name = field.NamespacePrefix + "__" + name
		}
		if _, shown := fieldOf(d, name); !shown {
			hidden = append(hidden, name)
		}
	}
	slices.Sort(hidden)
	return hidden, nil
}

// choice tells of configured fields that are not there.
func (e *examination) choice(object string) result {
	d := e.describes[object]
	if d == nil {
		return unchecked(object + " cannot be read")
	}
	sel := chosen(e.org.Salesforce.Fields)[object]
	if strangers := sel.Strangers(d); len(strangers) > 0 {
		return noted("correct the names in orgs[].salesforce, or let the user read the fields", "%s", strings.Join(strangers, "; "))
	}
	return good("%d of %d fields", len(sfapi.Schema(d, sel).Fields), len(sfapi.Schema(d, sfapi.Selection{}).Fields))
}

// viewAll tells from the subscription to the object's own channel whether the user sees every record: Salesforce demands it
// there and nowhere else says that it is missing (facts 5.8).
func (e *examination) viewAll(ctx context.Context, object string) result {
	if e.describes[object] == nil {
		return unchecked(object + " cannot be read")
	}
	chosen := e.selected(ctx)
	err := e.subscribe(ctx, object)
	switch {
	case err == nil:
		return good("subscribing to /data/%s was granted, which needs it", sfapi.EventOf(object))
	case !refusedChannel(err), !strings.Contains(err.Error(), "subscribe CDC"):
		return failed(err)
	case chosen.err == nil && !chosen.has(object):
		return unchecked("it shows when change events of " + object + " are selected")
	case chosen.err != nil:
		return wrong(fmt.Sprintf("the user lacks View All Records on %s, or its change events are not selected: %s > Object Settings > %s > View All Records, and Setup > Change Data Capture", object, clickPermission, object), "%s", failed(err).seen)
	}
	return wrong(fmt.Sprintf("without it Salesforce withholds records and events, without an error: %s > Object Settings > %s > View All Records", clickPermission, object), "%s, although the object is selected", failed(err).seen)
}

// changes tells whether the org sends change events of an object.
func (e *examination) changes(ctx context.Context, object string) result {
	chosen := e.selected(ctx)
	if chosen.err == nil {
		switch standard, custom := sfapi.Selected(chosen.members, object); {
		case standard:
			return good("selected")
		case custom:
			return wrong("the events of the standard channel are followed: "+salesforce.ClickCDC, "selected on a custom channel only")
		}
		return wrong("the org sends no change events of "+object+": "+salesforce.ClickCDC, "not selected")
	}
	seen := "which objects are selected is not visible to this user (View Setup and Configuration)"
	err := e.subscribe(ctx, object)
	switch {
	case err == nil:
		return good("%s, but subscribing was granted", seen)
	case !refusedChannel(err):
		return failed(err)
	}
	return wrong(fmt.Sprintf("the object is not selected, or the user lacks View All Records: Setup > Change Data Capture, and %s > Object Settings > %s", clickPermission, object), "%s, and subscribing was refused: %s", seen, failed(err).seen)
}

// enrichment looks for fields that the org adds to events of the standard channel. They carry the value of the moment of
// delivery, and merged events come apart, several with one replay id (facts 5.6).
func (e *examination) enrichment(ctx context.Context) result {
	var names []string
	for record, err := range e.client.Query(ctx, "SELECT ChannelMemberId, Field FROM EnrichedField", sfapi.QueryOptions{Tooling: true}) {
		var field struct{ Field string }
		if err == nil {
			err = json.Unmarshal(record, &field)
		}
		if err != nil {
			return unchecked("which events are enriched is not visible to this user (View Setup and Configuration)")
		}
		names = append(names, field.Field)
	}
	if len(names) == 0 {
		return good("no event is enriched; none needs to be")
	}
	return noted("it is not needed here: merged events come apart and count as several deliveries, and the added fields hold the value of the moment of delivery; remove them if no other program wants them", "added to events: %s", strings.Join(names, ", "))
}

// notes counts one kind of notes.
func (e *examination) notes(ctx context.Context, kind string) result {
	n, err := e.client.Count(ctx, "SELECT COUNT() FROM "+kind, sfapi.QueryOptions{})
	if err != nil {
		r := failed(err)
		if code(err) == "INVALID_TYPE" && kind != "ContentNote" {
			r.advice = fmt.Sprintf("the user may not read %s: %s > Object Settings; or leave it out of orgs[].salesforce.notes.objects", kind, clickPermission)
		}
		return r
	}
	if kind == "ContentNote" {
		return noted("without Query All Files the user sees only the notes that are shared with it, without an error: "+clickPermission+" > System Permissions > Query All Files", "%d visible", n)
	}
	return good("%d visible", n)
}

// selection is what the org has selected for Change Data Capture.
type selection struct {
	members []sfapi.Member
	err     error // why it cannot be seen
}

func (s *selection) has(object string) bool {
	standard, custom := sfapi.Selected(s.members, object)
	return standard || custom
}

// selected asks for the selection once.
func (e *examination) selected(ctx context.Context) *selection {
	if e.selection == nil {
		e.selection = &selection{}
		e.selection.members, e.selection.err = e.client.Members(ctx)
	}
	return e.selection
}
