package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mismatch is one reason why a reader's schema cannot read what a writer's schema wrote.
type Mismatch struct {
	Type MismatchType
	Path string // into the reader's schema: /fields/1/type/0
	Info string // what was expected or is missing
}

// MismatchType names a kind of Mismatch, as Avro's own Java library does.
type MismatchType string

// The kinds of Mismatch.
const (
	NameMismatch       MismatchType = "NAME_MISMATCH"
	FixedSizeMismatch  MismatchType = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols MismatchType = "MISSING_ENUM_SYMBOLS"
	MissingDefault     MismatchType = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch       MismatchType = "TYPE_MISMATCH"
	MissingUnionBranch MismatchType = "MISSING_UNION_BRANCH"
)

// maxMismatches bounds a report: schemas can be made whose differences are without number.
const maxMismatches = 100

// CanRead reports why reader cannot read what writer wrote, by the rules of schema resolution in the Avro specification; nil when
// it can. Logical types play no part. Names of types are compared without their namespace, as Avro's Java library does.
func CanRead(reader, writer *Node) []Mismatch {
	r := resolver{known: map[[2]*Node][]Mismatch{}}
	out := r.check(reader, writer)
	for i := range out {
		if out[i].Path == "" {
			out[i].Path = "/"
		}
	}
	return out
}

type resolver struct {
	// known holds what was found for pairs of named types, paths from there; nothing while a pair is being compared: a type
	// inside itself is no new question.
	known map[[2]*Node][]Mismatch
}

func (r *resolver) check(reader, writer *Node) []Mismatch {
	if !reader.Kind.Named() || !writer.Kind.Named() {
		return r.compare(reader, writer)
	}
	pair := [2]*Node{reader, writer}
	if found, ok := r.known[pair]; ok {
		return found
	}
	r.known[pair] = nil
	found := r.compare(reader, writer)
	r.known[pair] = found
	return found
}

// under puts what was found at a part of a type in its place.
func under(path string, found []Mismatch) []Mismatch {
	out := slices.Clone(found[:min(len(found), maxMismatches)])
	for i := range out {
		out[i].Path = path + out[i].Path
	}
	return out
}

func (r *resolver) compare(reader, writer *Node) []Mismatch {
	switch {
	case writer.Kind == Union:
		return r.writerUnion(reader, writer)
	case reader.Kind == Union:
		for _, b := range reader.Branches {
			if len(r.check(b, writer)) == 0 {
				return nil
			}
		}
		return []Mismatch{{MissingUnionBranch, "", lacking(writer)}}
	case reader.Kind != writer.Kind:
		if promotes(writer.Kind, reader.Kind) {
			return nil
		}
		return []Mismatch{{TypeMismatch, "", fmt.Sprintf("reader type: %s not compatible with writer type: %s",
			strings.ToUpper(reader.Kind.String()), strings.ToUpper(writer.Kind.String()))}}
	}
	switch reader.Kind {
	case Array:
		return under("/items", r.check(reader.Elem, writer.Elem))
	case Map:
		return under("/values", r.check(reader.Elem, writer.Elem))
	case Record, Enum, Fixed:
		return r.named(reader, writer)
	}
	return nil
}

// writerUnion wants every branch to be readable: any of them may be in the bytes.
func (r *resolver) writerUnion(reader, writer *Node) []Mismatch {
	var out []Mismatch
	for i, b := range writer.Branches {
		found := r.check(reader, b)
		if len(found) > 0 && reader.Kind == Union {
			found = []Mismatch{{MissingUnionBranch, "/" + strconv.Itoa(i), lacking(b)}}
		}
		out = append(out, found...)
	}
	return out
}

func lacking(writer *Node) string {
	return "reader union lacking writer type: " + strings.ToUpper(writer.Kind.String())
}

func (r *resolver) named(reader, writer *Node) []Mismatch {
	var out []Mismatch
	if reader.Name != writer.Name && !slices.Contains(reader.Aliases, writer.FullName()) {
		out = append(out, Mismatch{NameMismatch, "/name", "expected: " + writer.FullName()})
	}
	switch reader.Kind {
	case Fixed:
		if reader.Size != writer.Size {
			out = append(out, Mismatch{FixedSizeMismatch, "/size", fmt.Sprintf("expected: %d, found: %d", writer.Size, reader.Size)})
		}
	case Enum:
		var missing []string
		for _, s := range writer.Symbols {
			if !slices.Contains(reader.Symbols, s) {
				missing = append(missing, s)
			}
		}
		if len(missing) > 0 && reader.Default == "" {
			out = append(out, Mismatch{MissingEnumSymbols, "/symbols", "[" + strings.Join(missing, ", ") + "]"})
		}
	case Record:
		for i := range reader.Fields {
			out = append(out, under("/fields/"+strconv.Itoa(i), r.field(&reader.Fields[i], writer))...)
		}
	}
	return out[:min(len(out), maxMismatches)]
}

func (r *resolver) field(f *Field, writer *Node) []Mismatch {
	for i := range writer.Fields {
		if w := &writer.Fields[i]; w.Name == f.Name || slices.Contains(f.Aliases, w.Name) {
			return under("/type", r.check(f.Type, w.Type))
		}
	}
	if f.HasDefault {
		return nil
	}
	return []Mismatch{{MissingDefault, "", f.Name}}
}

// promotes reports whether a value written as from is read as to.
func promotes(from, to Kind) bool {
	switch from {
	case Int:
		return to == Long || to == Float || to == Double
	case Long:
		return to == Float || to == Double
	case Float:
		return to == Double
	case String:
		return to == Bytes
	case Bytes:
		return to == String
	}
	return false
}
