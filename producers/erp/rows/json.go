package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// objects reads JSON: an object a line, or one array of objects, whose elements may span lines, or share one.
type objects struct {
	base
	array  bool
	begun  bool   // an element of the array was read
	closed bool   // its end was read
	rest   []byte // of the array, that is read
	at     int64  // the line that it is of
	raw    []byte
	rawFn  func() string
	parsed parser
}

// openJSON looks at the first character.
func openJSON(b base) (*objects, error) {
	o := &objects{base: b}
	o.rawFn = func() string { return string(bytes.TrimSpace(o.raw)) }
	first, err := b.lines.first()
	if err != nil && !errors.Is(err, io.EOF) { // none: an empty change
		return nil, fmt.Errorf("read %s: %w", b.name, err)
	}
	if first == '[' {
		o.array = true
		_, _ = b.lines.in.Discard(1) // it was just looked at
	}
	return o, nil
}

func (o *objects) Header() []string { return nil }

// Next implements Reader.
func (o *objects) Next() (Row, error) {
	var number int64
	var err error
	if o.array {
		number, err = o.element()
	} else {
		number, err = o.nextLine()
	}
	if err != nil {
		return Row{}, err
	}
	if !utf8.Valid(o.raw) {
		return Row{}, o.reject(number, "the text is not valid in the file's encoding; save the file as UTF-8, or set encoding")
	}
	fields, err := o.parsed.object(o.raw)
	if err != nil {
		return Row{}, o.reject(number, err.Error())
	}
	return Row{Line: number, Fields: fields, Raw: o.rawFn}, nil
}

func (o *objects) reject(number int64, reason string) *Reject {
	return &Reject{Line: number, Reason: reason, Raw: o.rawFn()}
}

// nextLine reads the next line that is not blank.
func (o *objects) nextLine() (int64, error) {
	for {
		l, err := o.lines.next()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", o.name, err)
		}
		o.raw = append(o.raw[:0], body(l.text)...)
		if l.long {
			o.raw = append(o.raw[:200], "…"...)
			return 0, o.reject(l.number, fmt.Sprintf("the line has more than %d bytes", maxRow))
		}
		if len(bytes.TrimSpace(o.raw)) > 0 {
			return l.number, nil
		}
	}
}

// element reads the next element of the array: up to the comma or bracket behind it.
func (o *objects) element() (number int64, err error) {
	o.raw = o.raw[:0]
	depth, text, escaped, long := 0, false, false, false
	for !o.closed {
		for i, b := range o.rest {
			switch {
			case escaped:
				escaped = false
			case text:
				escaped, text = b == '\\', b != '"'
			case b == '"':
				text = true
			case depth == 0 && (b == ',' || b == ']'):
				o.rest, o.closed = o.rest[i+1:], b == ']'
				if long {
					o.raw = append(o.raw[:200], "…"...)
					return 0, o.reject(number, fmt.Sprintf("the element of the array has more than %d bytes", maxRow))
				}
				return o.ended(number)
			case b == '{' || b == '[':
				depth++
			case b == '}' || b == ']':
				depth--
			}
			if number == 0 && b > ' ' {
				number = o.at
			}
			if long = len(o.raw) >= maxRow; !long {
				o.raw = append(o.raw, b)
			}
		}
		if err := o.more(); errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%s is cut off: the array that begins it is not closed; wait until its writer is done, or export it again", o.name)
		} else if err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// more reads on in the array.
func (o *objects) more() (err error) {
	if o.rest, o.at, err = o.lines.chunk(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", o.name, err)
	}
	return err
}

// ended is called behind an element, or behind nothing: in an empty array.
func (o *objects) ended(number int64) (int64, error) {
	first := !o.begun
	o.begun = true
	if o.closed {
		if err := o.nothingBehind(); err != nil {
			return 0, err
		}
		if number == 0 && first {
			return 0, io.EOF
		}
	}
	if number == 0 {
		return 0, &Reject{Line: o.at, Reason: "an element is missing between two commas"}
	}
	return number, nil
}

func (o *objects) nothingBehind() error {
	for {
		if len(bytes.TrimSpace(o.rest)) > 0 {
			return fmt.Errorf("%s line %d: there is more behind the end of the array; write one array, or an object a line", o.name, o.at)
		}
		if err := o.more(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
