// Package secret holds the one type for passwords, tokens and client secrets: it prints as *** wherever it is
// formatted, logged or marshalled, so that a secret can only leave through Reveal.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const mask = "***"

// String is a secret text. The zero value is "not set" and prints as nothing.
type String string

// Reveal returns the text itself, for the one call that sends it.
func (s String) Reveal() string { return string(s) }

// String returns *** or, when nothing is set, the empty string.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format prints the mask under every verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is what slog writes.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what JSON, YAML and others write.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
