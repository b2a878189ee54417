package simulator

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// memberQuery are the Tooling queries that are understood: which entities are selected for change events, and which fields
// are added to the events of the standard channel (facts 5.6).
var memberQuery = regexp.MustCompile(`(?is)^\s*SELECT\s+([\w\s,]+?)\s+FROM\s+(\w+)\s*(WHERE\s+EventChannel\s*=\s*'(\w+)')?\s*(LIMIT\s+\d+)?\s*$`)

// enrichedQuery is the object of the second kind.
const enrichedQuery = "EnrichedField"

// customQuery asks for the custom fields of an object, whatever field-level security hides.
var customQuery = regexp.MustCompile(`(?i)^SELECT DeveloperName, NamespacePrefix FROM CustomField WHERE TableEnumOrId = '(\w+)'$`)

// customFields answers customQuery; the components of compounds are no fields of their own.
func (c *call) customFields(object string) {
	records := []any{}
	if ob, ok := c.s.org.Object(object); ok {
		for _, f := range ob.Fields() {
			if f.Custom && f.Component == "" {
				records = append(records, map[string]any{"attributes": map[string]string{"type": "CustomField"}, "DeveloperName": strings.TrimSuffix(f.Name, "__c"), "NamespacePrefix": nil})
			}
		}
	}
	c.json(http.StatusOK, map[string]any{"size": len(records), "totalSize": len(records), "done": true, "queryLocator": nil, "entityTypeName": "CustomField", "records": records})
}

// enrichedFields answers the second kind.
func (c *call) enrichedFields() {
	records := []any{}
	for _, field := range c.s.settings.Load().Enriched {
		records = append(records, map[string]any{"attributes": map[string]string{"type": enrichedQuery}, "ChannelMemberId": "0v8Qk0000000000AAA", "Field": field})
	}
	c.json(http.StatusOK, map[string]any{
		"size": len(records), "totalSize": len(records), "done": true, "queryLocator": nil, "entityTypeName": enrichedQuery, "records": records,
	})
}

var memberFields = []string{"Id", "DeveloperName", "MasterLabel", "EventChannel", "SelectedEntity"}

// toolingQuery answers PlatformEventChannelMember.
func (c *call) toolingQuery() {
	text := c.r.URL.Query().Get("q")
	if m := customQuery.FindStringSubmatch(text); m != nil {
		if c.s.profile.Load().NoSetup {
			c.fail(http.StatusBadRequest, "INVALID_TYPE", "\n"+text+"\n^\nERROR at Row:1:Column:1\nsObject type 'CustomField' is not supported.")
			return
		}
		c.customFields(m[1])
		return
	}
	m := memberQuery.FindStringSubmatch(text)
	if m == nil || !strings.EqualFold(m[2], "PlatformEventChannelMember") && !strings.EqualFold(m[2], enrichedQuery) {
		c.unsupported("this Tooling query; SELECT … FROM PlatformEventChannelMember [WHERE EventChannel = '…'] is understood")
		return
	}
	if c.s.profile.Load().NoSetup {
		c.fail(http.StatusBadRequest, "INVALID_TYPE", "\n"+text+"\n^\nERROR at Row:1:Column:1\nsObject type '"+m[2]+"' is not supported.")
		return
	}
	if strings.EqualFold(m[2], enrichedQuery) {
		c.enrichedFields()
		return
	}
	var fields []string
	for f := range strings.SplitSeq(m[1], ",") {
		f = strings.TrimSpace(f)
		at := slices.IndexFunc(memberFields, func(known string) bool { return strings.EqualFold(known, f) })
		if at < 0 {
			c.fail(http.StatusBadRequest, "INVALID_FIELD", "No such column '"+f+"' on entity 'PlatformEventChannelMember'.")
			return
		}
		fields = append(fields, memberFields[at])
	}
	records := []any{}
	for _, entity := range c.s.selected() {
		event := strings.TrimSuffix(entity, "__c")
		if event != entity {
			event += "__"
		}
		event += "ChangeEvent"
		id := "0v8Qk00000" + "0000000000"[:5] + "AAA"
		values := map[string]string{"Id": id, "DeveloperName": "ChangeEvents_" + event, "MasterLabel": "ChangeEvents_" + event, "EventChannel": "ChangeEvents", "SelectedEntity": event}
		if m[4] != "" && !strings.EqualFold(m[4], "ChangeEvents") {
			continue
		}
		record := map[string]any{"attributes": map[string]string{"type": "PlatformEventChannelMember", "url": "/services/data/v" + c.version + "/tooling/sobjects/PlatformEventChannelMember/" + id}}
		for _, f := range fields {
			record[f] = values[f]
		}
		records = append(records, record)
	}
	c.json(http.StatusOK, map[string]any{"size": len(records), "totalSize": len(records), "done": true, "queryLocator": nil, "entityTypeName": "PlatformEventChannelMember", "records": records})
}

// selected are the entities with change events: those chosen, or all that can have them.
func (s *Simulator) selected() []string {
	if chosen := s.events.Selected(); chosen != nil {
		return chosen
	}
	var out []string
	for _, ob := range s.org.Objects() {
		if ob.Can('e') {
			out = append(out, ob.Name)
		}
	}
	return out
}
