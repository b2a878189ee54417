// Package soql reads and answers the subset of SOQL that the simulated org understands.
//
// A query passes through it so: Parse turns its text into a Query, Compile checks every name against what the user may
// see and returns a Plan, and the Plan finds the slots of the matching rows and says which columns they have. Errors
// carry the errorCode and the exact text of the REST API (facts 2.3). What is not understood is an Unsupported error,
// never a guess: subqueries, semi-joins, GROUP BY, TYPEOF, functions other than COUNT() and FIELDS().
package soql

import (
	"fmt"
	"strings"
)

// Bounds of one query (facts 2.6), and of what a hostile one may cost.
const (
	maxQuery  = 100_000 // characters
	maxText   = 4_000   // characters of one WHERE string
	maxNested = 50      // parentheses and NOTs within each other
	maxOffset = 2_000
	fieldsAll = 200 // rows that FIELDS(ALL) may be asked for
)

// Error is a refused query: HTTP 400 with this code and message.
type Error struct {
	Code, Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unsupported is a query that Salesforce would answer and the simulator cannot.
type Unsupported struct{ What string }

func (e *Unsupported) Error() string {
	return "the simulator does not understand " + e.What + " in SOQL"
}

// fragment is how many characters of the query are echoed on either side of the position.
const fragment = 60

// at makes an error in the layout of facts 2.3: the query's fragment, a caret below the position, the position, the reason.
// pos is a byte offset into text.
func at(code, text string, pos int, format string, args ...any) *Error {
	before := text[:min(pos, len(text))]
	row := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	line := text[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	runes := []rune(line)
	column := len([]rune(before[start:])) // from 0
	lo, hi := max(0, column-fragment), min(len(runes), column+fragment)
	return &Error{Code: code, Message: fmt.Sprintf("\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s",
		string(runes[lo:hi]), strings.Repeat(" ", column-lo), row, column+1, fmt.Sprintf(format, args...))}
}

func noColumn(text string, pos int, field, entity string) *Error {
	return at("INVALID_FIELD", text, pos, "No such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", field, entity)
}

func noObject(text string, pos int, name string) *Error {
	return at("INVALID_TYPE", text, pos, "sObject type '%s' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.", name)
}

func noRelation(text string, pos int, name string) *Error {
	return at("INVALID_FIELD", text, pos, "Didn't understand relationship '%s' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", name)
}
