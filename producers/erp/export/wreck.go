package export

import (
	"strings"
)

// wreck is one kind of damage: what it does to the cells of a good row, or to the text of it, and what the rejects file says.
type wreck struct {
	name   string
	cells  func(e Export, at columns, cells []string) []string
	line   func(e Export, at columns, line string) string
	column func(e Export, at columns) string // empty: the row as a whole
	reason string
	needs  func(e Export, at columns) bool
}

// columns are where the members stand.
type columns struct {
	header                         []string
	number, name, balance, changed int
}

func (c columns) at(i int) string { return c.header[i] }

func ofNumber(_ Export, at columns) string  { return at.at(at.number) }
func ofName(_ Export, at columns) string    { return at.at(at.name) }
func ofBalance(_ Export, at columns) string { return at.at(at.balance) }

// put sets one cell.
func put(where func(columns) int, text string) func(Export, columns, []string) []string {
	return func(_ Export, at columns, cells []string) []string { cells[where(at)] = text; return cells }
}

func number(at columns) int  { return at.number }
func name(at columns) int    { return at.name }
func balance(at columns) int { return at.balance }

func hasBalance(e Export, _ columns) bool  { return e.balance }
func hasChanged(e Export, _ columns) bool  { return e.changed }
func quoted(e Export, _ columns) bool      { return !e.ruled }
func apart(_ Export, at columns) bool      { return at.number != at.name }
func nameIsIn(e Export, at columns) string { return e.nameColumn(at) }

// nameColumn is how a reject names the column of the name.
func (e Export) nameColumn(at columns) string {
	if e.name != "" {
		return e.name
	}
	return at.at(at.name)
}

var wrecks = []wreck{
	{name: "a cell is missing", cells: func(_ Export, _ columns, c []string) []string { return c[:len(c)-1] }, column: func(_ Export, at columns) string { return at.header[len(at.header)-1] }, reason: "cells, the header"},
	{name: "half of the row is missing", cells: func(_ Export, _ columns, c []string) []string { return c[:len(c)/2] }, column: func(_ Export, at columns) string { return at.header[len(at.header)/2] }, reason: "cells, the header"},
	{name: "a delimiter in a cell that is not quoted", line: func(e Export, _ columns, l string) string { return l + string(e.comma) + "Inc." }, reason: "quote cells that contain the delimiter"},
	{name: "two rows in one line", line: func(e Export, _ columns, l string) string { return l + string(e.comma) + l }, reason: "quote cells that contain the delimiter"},
	{name: "another program's text", line: func(Export, columns, string) string { return "<html><body>503 Service Unavailable</body></html>" }, column: func(_ Export, at columns) string { return at.header[1] }, reason: "the row has 1 cells"},
	{name: "another delimiter", line: func(e Export, _ columns, l string) string {
		return strings.NewReplacer(string(e.comma), "~", `"`, "").Replace(l)
	}, column: func(_ Export, at columns) string { return at.header[1] }, reason: "the row has 1 cells"},
	{name: "no number", cells: put(number, ""), column: ofNumber, reason: "the customer number is empty"},
	{name: "a blank number", cells: put(number, "   "), column: ofNumber, reason: "the number is blank", needs: quoted},
	{name: "a number in scientific notation", cells: put(number, "1.23457E+11"), column: ofNumber, reason: "its digits are lost"},
	{name: "a number that became a date", cells: put(number, "5-Mar"), column: ofNumber, reason: "took it for a date"},
	{name: "a number that is an error", cells: put(number, "#N/A"), column: ofNumber, reason: "spreadsheet's error"},
	{name: "a number that is a formula", cells: put(number, `="0042"`), column: ofNumber, reason: "spreadsheet's formula"},
	{name: "a number of half a file", cells: put(number, strings.Repeat("9", 600)), column: ofNumber, reason: "has 600 bytes"},
	{name: "a line break in the number", cells: func(_ Export, at columns, c []string) []string { c[at.number] += "\nx"; return c }, column: ofNumber, reason: "line break", needs: quoted},
	{name: "a number that stood before", cells: nil, column: ofNumber, reason: "stood already in line"},
	{name: "a column too narrow", cells: put(name, "########"), column: nameIsIn, reason: "spreadsheet's error", needs: apart},
	{name: "a NUL byte", cells: func(_ Export, at columns, c []string) []string { c[at.name] += "a\x00b"; return c }, column: ofName, reason: "NUL byte"},
	{name: "a damaged character", cells: func(_ Export, at columns, c []string) []string { c[at.name] += "M" + hurt + "ller"; return c }, column: ofName, reason: "not valid text"},
	{name: "a huge cell", cells: func(_ Export, at columns, c []string) []string { c[at.name] += strings.Repeat("x", 1<<20); return c }, column: ofName, reason: "more than 1048576"},
	{name: "a quote inside a cell", line: func(e Export, _ columns, l string) string { return `5" pipe` + l }, reason: "stands inside an unquoted cell", needs: quoted},
	{name: "a quote that is not closed", line: func(e Export, at columns, l string) string {
		return l[:strings.LastIndex(l, string(e.comma))+1] + `"Main Street`
	}, reason: "a quote is not closed", needs: quoted},
	{name: "text behind a quote", line: func(e Export, _ columns, l string) string { return `"x"y` + l }, reason: "a quote is not closed or stands inside", needs: quoted},
	{name: "a balance that is a word", cells: put(balance, "n/a"), column: ofBalance, reason: "is not a number", needs: hasBalance},
	{name: "a balance that may be two amounts", cells: func(e Export, at columns, c []string) []string {
		c[at.balance] = "1,234"
		if e.Preset == "sap" {
			c[at.balance] = "1,234.50"
		}
		return c
	}, column: ofBalance, reason: "is not a number", needs: hasBalance},
	{name: "a balance with two signs", cells: put(balance, "-5-"), column: ofBalance, reason: "is not a number", needs: hasBalance},
	{name: "a balance in another currency", cells: put(balance, "¥500"), column: ofBalance, reason: "is not a number", needs: hasBalance},
	{name: "a balance finer than money", cells: func(e Export, at columns, c []string) []string {
		c[at.balance] = "0.12345678901"
		if e.Preset == "sap" {
			c[at.balance] = "0,12345678901"
		}
		return c
	}, column: ofBalance, reason: "10 after the point", needs: hasBalance},
	{name: "a day that there is not", cells: func(_ Export, at columns, c []string) []string { c[at.changed] = "02/31/2026 10:00:00"; return c }, column: func(_ Export, at columns) string { return at.at(at.changed) }, reason: "is not a time", needs: hasChanged},
}
