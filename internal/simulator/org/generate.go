package org

import (
	"strconv"
	"time"
)

// generator makes up the rows of one object. Every value is a function of seed, field and slot and nothing else, so
// that a million rows cost no memory and the same seed gives the same org.
type generator struct {
	object  *Object
	seed    uint64
	count   uint32
	parents uint32 // rows of Account, for what belongs to one
	made    []func(g *generator, dst []byte, slot uint32) ([]byte, bool)
	owners  []string
	parent  *Field // the field that names the account, if any
	first   *Field // FirstName, of people
	last    *Field
	start   time.Time // no time in a row is before
	seconds uint64    // nor later than start plus this
}

// random is a well-mixed number for one value (splitmix64).
func (g *generator) random(field, slot uint32) uint64 {
	z := g.seed + uint64(field)*0xBF58476D1CE4E5B9 + (uint64(slot)+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// append writes the canonical text of one field; false when it is null.
func (g *generator) append(dst []byte, f *Field, slot uint32) ([]byte, bool) {
	if f.Index < len(g.made) {
		return g.made[f.Index](g, dst, slot)
	}
	if f.made != nil { // a field that was added later
		return f.made(g, dst, slot)
	}
	return absent(f)(g, dst, slot)
}

// absent is for fields that have no recipe.
func absent(f *Field) makeValue {
	if f.Kind == Bool {
		return func(_ *generator, dst []byte, _ uint32) ([]byte, bool) { return append(dst, "false"...), true }
	}
	return func(_ *generator, dst []byte, _ uint32) ([]byte, bool) { return dst, false }
}

// rowID is for Id: rows as the seed made them always have the id of their slot.
func rowID(g *generator, dst []byte, slot uint32) ([]byte, bool) {
	return appendID(dst, g.object.Prefix, uint64(slot)+1), true
}

// children is the range of slots whose parent field names the account with that id.
func (g *generator) children(f *Field, id string) (lo, hi uint32) {
	if f != g.parent || g.parents == 0 {
		return 0, 0
	}
	n, ok := rowNumber(id, "001")
	if !ok || n == 0 || n > uint64(g.parents) {
		return 0, 0
	}
	at := func(n uint64) uint32 { // first slot whose account is n or later
		return uint32((n*uint64(g.count) + uint64(g.parents) - 1) / uint64(g.parents))
	}
	return at(n - 1), at(n)
}

// parentOf is the account that a row belongs to: accounts get equal shares of neighbouring rows.
func (g *generator) parentOf(slot uint32) uint64 {
	return uint64(slot) * uint64(g.parents) / uint64(g.count)
}

type makeValue = func(g *generator, dst []byte, slot uint32) ([]byte, bool)

// newGenerator prepares count rows of ob.
func newGenerator(ob *Object, seed uint64, count, parents uint32, owners []string, start, end time.Time) *generator {
	g := &generator{object: ob, seed: seed ^ uint64(ob.Prefix[2])<<56, count: count, parents: parents, owners: owners, start: start, seconds: uint64(end.Sub(start) / time.Second)}
	fields := ob.fields.Load().all
	g.made = make([]makeValue, len(fields))
	g.first, _ = ob.Field("FirstName")
	g.last, _ = ob.Field("LastName")
	for _, f := range fields {
		switch own, common := recipes[ob.Name][f.Name], commonRecipes[f.Name]; {
		case f == ob.sys.id:
			g.made[f.Index] = rowID
		case own != nil:
			g.made[f.Index] = own(f)
		case common != nil:
			g.made[f.Index] = common(f)
		default:
			g.made[f.Index] = absent(f)
		}
		if f.Name == "AccountId" && ob.Name == "Contact" || f.Name == "ParentId" && ob.Name == "Note" || f.Name == "WhatId" && ob.Name == "Task" {
			g.parent = f
		}
	}
	return g
}

// recipe makes the function for one field.
type recipe func(f *Field) makeValue

// pick takes one of a list; null when percent of 100 say so.
func pick(list []string, nullPercent uint64) recipe {
	return func(f *Field) makeValue {
		salt := uint32(f.Index)
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			r := g.random(salt, slot)
			if r>>32%100 < nullPercent {
				return dst, false
			}
			return append(dst, list[r%uint64(len(list))]...), true
		}
	}
}

// pickListed takes one of the field's picklist values.
func pickListed(nullPercent uint64) recipe {
	return func(f *Field) makeValue { return pick(f.Values, nullPercent)(f) }
}

// number draws a number below limit after a prefix, padded to width digits.
func number(prefix string, limit uint64, width int, nullPercent uint64) recipe {
	return func(f *Field) makeValue {
		salt := uint32(f.Index)
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			r := g.random(salt, slot)
			if r>>40%100 < nullPercent {
				return dst, false
			}
			return appendPadded(append(dst, prefix...), r%limit, width), true
		}
	}
}

// serial writes the row's own number after a prefix.
func serial(prefix string, width int, nullPercent uint64) recipe {
	return func(f *Field) makeValue {
		salt := uint32(f.Index)
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			if g.random(salt, slot)%100 < nullPercent {
				return dst, false
			}
			return appendPadded(append(dst, prefix...), uint64(slot)+1, width), true
		}
	}
}

func appendPadded(dst []byte, n uint64, width int) []byte {
	at := len(dst)
	dst = strconv.AppendUint(dst, n, 10)
	if missing := width - (len(dst) - at); missing > 0 {
		dst = append(dst, "00000000000000000000"[:missing]...)
		copy(dst[at+missing:], dst[at:])
		for i := at; i < at+missing; i++ {
			dst[i] = '0'
		}
	}
	return dst
}

// parentAccount names the account; some rows have none.
func parentAccount(nullPerThousand uint64) recipe {
	return func(*Field) makeValue {
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			if g.parents == 0 || g.random(saltParent, slot)%1000 < nullPerThousand {
				return dst, false
			}
			return appendID(dst, "001", g.parentOf(slot)+1), true
		}
	}
}

func owner(salt uint32) recipe {
	return func(*Field) makeValue {
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			return append(dst, g.owners[g.random(salt, slot)%uint64(len(g.owners))]...), true
		}
	}
}

// instant draws the row's creation time, or with later its last change, which is not before it.
func instant(later bool) recipe {
	return func(*Field) makeValue {
		return func(g *generator, dst []byte, slot uint32) ([]byte, bool) {
			at := g.random(900, slot) % g.seconds
			if later {
				at += g.random(901, slot) % (g.seconds - at)
			}
			return appendStamp(dst, g.start.Unix()+int64(at)), true
		}
	}
}

// appendStamp writes Unix seconds as a canonical datetime, without the cost of time.Format.
func appendStamp(dst []byte, sec int64) []byte {
	days, rest := sec/86400, sec%86400
	// Civil date from days since 1970-01-01, by shifting the year's start to March.
	z := days + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day, month, year := doy-(153*mp+2)/5+1, mp+3, yoe+era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	out := [24]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 20: '0', 21: '0', 22: '0', 23: 'Z'}
	putTwo(out[0:], year/100)
	putTwo(out[2:], year%100)
	putTwo(out[5:], month)
	putTwo(out[8:], day)
	putTwo(out[11:], rest/3600)
	putTwo(out[14:], rest/60%60)
	putTwo(out[17:], rest%60)
	return append(dst, out[:]...)
}

func putTwo(dst []byte, n int64) { dst[0], dst[1] = byte('0'+n/10), byte('0'+n%10) }
