package join

import (
	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// The encoders write Avro by hand in the field order of schemas/*.avsc; tests decode what they write with those schemas.

func sideOf(k Kind) customer.Side {
	switch k {
	case Account:
		return customer.SideAccount
	case Contact:
		return customer.SideContact
	case Note:
		return customer.SideNote
	default:
		return customer.SideERP
	}
}

// encodeAmbiguous returns the value of match.ambiguous for an identifier (R13), valid until the next one is encoded.
func (e *Engine) encodeAmbiguous(g uint32, reason customer.Reason) []byte {
	gr := e.groups.at(g)
	b := append(e.report[:0], e.frames[Ambiguous]...)
	b = appendBytes(b, e.name(g))
	b = appendText(b, string(reason))
	b = e.appendKeys(b, firstOf(e.lists.items(&gr.accounts), customer.MaxListed), 0)
	b = appendVarint(b, int64(gr.accounts.n))
	b = e.appendKeys(b, firstOf(e.lists.items(&gr.customers), customer.MaxListed), 0)
	b = appendVarint(b, int64(gr.customers.n))
	e.report = b
	return b
}

// encodeUnmatched returns the value of match.unmatched for a record, and whether it lists near misses. It is valid
// until the next one is encoded.
func (e *Engine) encodeUnmatched(id uint32, reason customer.Reason) (value []byte, near bool) {
	r := e.records.at(id)
	b := append(e.report[:0], e.frames[Unmatched]...)
	b = appendText(b, string(sideOf(r.kind)))
	b = appendBytes(b, e.key(id))
	alone := reason == customer.NoCounterpart
	if alone {
		b = appendBytes(appendVarint(b, 1), e.name(r.group))
	} else {
		b = appendVarint(b, 0)
	}
	b = appendText(b, string(reason))
	if detail := misses[r.miss].Detail; detail != "" && r.group == 0 {
		b = appendText(appendVarint(b, 1), string(detail))
	} else {
		b = appendVarint(b, 0)
	}
	if alone {
		b, near = e.appendAlone(b, id)
	} else {
		b = append(b, 0, 0, 0, 0, 0) // no same identifier, total 0, no near misses, not truncated, not too large
	}
	e.report = b
	return b, near
}

// appendAlone appends what an unmatched record with an identifier says about others (R24, R30).
func (e *Engine) appendAlone(b []byte, id uint32) (out []byte, near bool) {
	r := e.records.at(id)
	g := e.groups.at(r.group)
	same := e.lists.items(g.side(r.kind))
	b = e.appendKeys(b, firstOf(same, customer.MaxSame+1), id)
	b = appendVarint(b, int64(min(len(same)-1, customer.MaxSameTotal)))
	if g.family == 0 {
		return append(b, 0, 0, 0), false
	}
	f := e.families.at(g.family)
	if f.tooLarge() {
		return append(b, 0, 0, 1), false
	}
	other := Account
	if r.kind == Account {
		other = Customer
	}
	n := *f.count(other)
	b = e.appendNearMisses(b, r.group, f, other, min(int(n), customer.MaxNearMisses))
	return append(b, boolByte(n > customer.MaxNearMisses), 0), n > 0
}

// appendNearMisses appends the first n records of the other side, by identifier bytes, then key (R24).
func (e *Engine) appendNearMisses(b []byte, own uint32, f *family, other Kind, n int) []byte {
	if n == 0 {
		return append(b, 0)
	}
	b = appendVarint(b, int64(n))
	name := string(e.name(own))
	for _, g := range e.lists.items(&f.groups) {
		members := e.lists.items(e.groups.at(g).side(other))
		if len(members) == 0 {
			continue
		}
		identifier := e.name(g)
		classes := rule.Classes(name, string(identifier))
		for _, member := range firstOf(members, n) {
			b = appendBytes(b, e.key(member))
			b = appendBytes(b, identifier)
			b = appendVarint(b, int64(len(classes))) // never none: the two differ
			for _, c := range classes {
				b = appendText(b, string(c))
			}
			b = append(b, 0)
			n--
		}
		if n == 0 {
			break
		}
	}
	return append(b, 0)
}

// appendKeys appends an array of the records' keys, without the one to skip and never more than there is room for.
func (e *Engine) appendKeys(b []byte, ids []uint32, skip uint32) []byte {
	n := len(ids)
	for _, id := range ids {
		if id == skip {
			n--
		}
	}
	if skip != 0 {
		n = min(n, customer.MaxSame)
	}
	if n == 0 {
		return append(b, 0)
	}
	b = appendVarint(b, int64(n))
	for _, id := range ids {
		if id != skip && n > 0 {
			b = appendBytes(b, e.key(id))
			n--
		}
	}
	return append(b, 0)
}
