package soql

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"crosswalk/internal/simulator/org"
)

// Scope says which rows a query may return beyond its own conditions.
type Scope struct {
	Deleted bool                 // queryAll: rows in the recycle bin and archived activities too
	May     func(r org.Row) bool // sharing; nil shows every row
}

// Finder walks an object's rows in slot order. It may stop between two rows and go on in a later View.
type Finder struct {
	plan     *Plan
	scope    Scope
	archived *org.Field
	scratch  []byte
	listed   []uint32 // candidates, when the conditions name them
	narrowed bool
	next     uint32 // slot, or position in listed
	first    uint32 // slots before are not looked at
	last     uint32 // nor from here on
	began    bool
}

// Between restricts the search to the slots [first, last).
func (f *Finder) Between(first, last uint32) { f.first, f.last = first, last }

// Find starts a search. The candidates are chosen in the first View.
func (p *Plan) Find(scope Scope) *Finder {
	f := &Finder{plan: p, scope: scope, last: ^uint32(0)}
	f.archived, _ = p.Object.Field("IsArchived")
	if p.Object.Name != "Task" {
		f.archived = nil
	}
	return f
}

// Step looks at up to budget further rows in the View and appends the slots of those that match; done says that no
// row is left to look at.
func (f *Finder) Step(v org.View, slots []uint32, budget int) (out []uint32, done bool) {
	if !f.began {
		f.began = true
		if f.listed, f.narrowed = f.plan.candidates(v); !f.narrowed {
			f.next = f.first
		}
	}
	for ; budget > 0; budget-- {
		slot := f.next
		if f.narrowed {
			if int(f.next) >= len(f.listed) {
				return slots, true
			}
			slot = f.listed[f.next]
		} else if f.next >= min(v.Size(f.plan.Object), f.last) {
			return slots, true
		}
		f.next++
		if slot < f.first || slot >= f.last {
			continue
		}
		if r, ok := v.Row(f.plan.Object, slot); ok && f.Matches(r) {
			slots = append(slots, slot)
		}
	}
	return slots, false
}

// Matches reports whether a row belongs to the result.
func (f *Finder) Matches(r org.Row) bool {
	if !f.scope.Deleted {
		if r.Deleted() {
			return false
		}
		if f.archived != nil {
			if text, _ := r.Text(f.archived); text == "true" {
				return false
			}
		}
	}
	if f.scope.May != nil && !f.scope.May(r) {
		return false
	}
	return f.plan.where == nil || f.plan.where(r, &f.scratch)
}

// candidates lists the rows that can match when a condition narrows them, in ascending order; ok is false when all can.
func (p *Plan) candidates(v org.View) (slots []uint32, ok bool) {
	for _, c := range p.conjunct {
		found, narrow := p.candidatesOf(v, c)
		if narrow && (!ok || len(found) < len(slots)) {
			slots, ok = found, true
		}
	}
	return slots, ok
}

func (p *Plan) candidatesOf(v org.View, c indexed) ([]uint32, bool) {
	var out []uint32
	switch {
	case c.ids == nil:
		if v.Base(p.Object) == 0 || c.since <= v.SeedTime() {
			return nil, false
		}
		return v.Changed(p.Object), true
	case c.field.Name == "Id":
		for _, id := range c.ids {
			if r, ok := v.Find(p.Object, id); ok {
				out = append(out, r.Slot())
			}
		}
	default:
		for _, id := range c.ids {
			found, ok := v.Children(c.field, p.Object, id)
			if !ok {
				return nil, false
			}
			out = append(out, found...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

// Sort puts slots into the query's order; ties stay in slot order. It reads all keys first, within one View.
func (p *Plan) Sort(v org.View, slots []uint32) {
	type keyed struct {
		slot uint32
		keys []string
		null []bool
	}
	rows := make([]keyed, 0, len(slots))
	var scratch []byte
	for _, slot := range slots {
		k := keyed{slot: slot, keys: make([]string, len(p.order)), null: make([]bool, len(p.order))}
		if r, ok := v.Row(p.Object, slot); ok {
			for i, o := range p.order {
				text, ok := o.column.read(r, &scratch)
				k.keys[i], k.null[i] = string(text), !ok
			}
		}
		rows = append(rows, k)
	}
	slices.SortStableFunc(rows, func(a, b keyed) int {
		for i, o := range p.order {
			if order := o.compare(a.keys[i], b.keys[i], a.null[i], b.null[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	for i, r := range rows {
		slots[i] = r.slot
	}
}

// compare orders two values: nulls first unless told otherwise, texts without regard to case.
func (o sortKey) compare(a, b string, aNull, bNull bool) int {
	if aNull || bNull {
		order := 0
		switch {
		case aNull && !bNull:
			order = -1
		case bNull && !aNull:
			order = 1
		}
		if o.nullsLast {
			return -order
		}
		return order
	}
	order := 0
	switch o.column.Field.Kind {
	case org.Int, org.Number:
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		order = cmp.Compare(x, y)
	case org.Text:
		order = cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	default:
		order = strings.Compare(a, b)
	}
	if o.desc {
		return -order
	}
	return order
}

// Window applies OFFSET and LIMIT to the slots found.
func (p *Plan) Window(slots []uint32) []uint32 {
	slots = slots[min(p.Offset, len(slots)):]
	if p.Limit >= 0 && p.Limit < len(slots) {
		slots = slots[:p.Limit]
	}
	return slots
}

// Enough reports whether found rows suffice, so that the search may stop: a LIMIT without an order.
func (p *Plan) Enough(found int) bool {
	return p.Limit >= 0 && !p.Ordered && found >= p.Offset+p.Limit
}
