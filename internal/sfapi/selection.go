package sfapi

import "strings"

// EventOf names the change event of an object: AccountChangeEvent, Employee__ChangeEvent (facts 5.6).
func EventOf(object string) string {
	if stem, ok := strings.CutSuffix(object, "__c"); ok {
		return stem + "__ChangeEvent"
	}
	return object + "ChangeEvent"
}

// Selected says whether an object's change events are selected for the standard channel, /data/ChangeEvents, and whether
// they are for a custom one, which names itself by its id.
func Selected(members []Member, object string) (standard, custom bool) {
	for _, m := range members {
		switch {
		case m.Entity != EventOf(object):
		case m.Channel == "ChangeEvents" || m.Channel == m.Entity:
			standard = true
		default:
			custom = true
		}
	}
	return standard, custom
}
