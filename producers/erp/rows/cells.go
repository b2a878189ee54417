package rows

import "bytes"

// cells cuts the lines of one row of a CSV into cells (RFC 4180), line by line, because a quoted cell may span several.
type cells struct {
	comma byte
	bare  bool   // a quote is a sign like any other
	text  []byte // of all cells, unquoted
	ends  []int  // where each cell ends in text
	state int
}

const (
	cellStart = iota
	cellPlain
	cellQuoted
	cellClosed // behind the closing quote
)

const (
	reasonBare     = "a quote stands inside an unquoted cell; quote the whole cell and write the inner quote twice"
	reasonUnclosed = "a quote is not closed or stands inside a quoted cell; write it twice"
)

func (c *cells) reset() { c.text, c.ends, c.state = c.text[:0], c.ends[:0], cellStart }

// feed takes one more line of the row. done is false when a quoted cell goes on; reason says why the line cannot be part
// of a row.
func (c *cells) feed(line []byte) (done bool, reason string) {
	line = body(line)
	for i := 0; i < len(line); i++ {
		b := line[i]
		switch c.state {
		case cellStart, cellPlain:
			switch {
			case b == c.comma:
				c.end()
			case b != '"' || c.bare:
				n := c.plain(line[i:])
				c.text = append(c.text, line[i:i+n]...)
				c.state = cellPlain
				i += n - 1
			case c.state == cellPlain:
				return true, reasonBare
			default:
				c.state = cellQuoted
			}
		case cellQuoted:
			n := bytes.IndexByte(line[i:], '"')
			if n < 0 {
				n = len(line) - i
			} else {
				c.state = cellClosed
			}
			c.text = append(c.text, line[i:i+n]...)
			i += n
		case cellClosed:
			switch b {
			case c.comma:
				c.end()
			case '"':
				c.text = append(c.text, '"')
				c.state = cellQuoted
			default:
				return true, reasonUnclosed
			}
		}
	}
	if c.state == cellQuoted {
		c.text = append(c.text, '\n')
		return false, ""
	}
	c.end()
	return true, ""
}

// plain returns the length of what is certainly part of an unquoted cell.
func (c *cells) plain(line []byte) int {
	for i, b := range line {
		if b == c.comma || b == '"' && !c.bare {
			return i
		}
	}
	return len(line)
}

func (c *cells) end() {
	c.ends = append(c.ends, len(c.text))
	c.state = cellStart
}

// split appends the cells, which share one string.
func (c *cells) split(dst []string) []string {
	all, start := string(c.text), 0
	for _, end := range c.ends {
		dst = append(dst, all[start:end])
		start = end
	}
	return dst
}
