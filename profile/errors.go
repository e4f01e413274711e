package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a JSON text.
type Position struct {
	// Offset counts bytes from 0; Line and Column (in characters) count from 1.
	Offset, Line, Column int
}

func (p Position) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// SyntaxError: the text is not one JSON document in UTF-8. The sender mends the text.
type SyntaxError struct {
	Position
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s: %s", e.Position, e.Reason) }

// UnknownFieldError: the document has a field that profiles do not have.
type UnknownFieldError struct {
	Position
	Field string
	// Meant is the field whose name differs in case only, "" when there is none.
	Meant string
}

func (e *UnknownFieldError) Error() string {
	if e.Meant != "" {
		return fmt.Sprintf("%s: unknown field %q, did you mean %q", e.Position, e.Field, e.Meant)
	}
	return fmt.Sprintf("%s: unknown field %q", e.Position, e.Field)
}

// DuplicateFieldError: an object names a field twice, so which value counts would
// depend on the reader (RFC 8259 §4).
type DuplicateFieldError struct {
	Position
	Field string
}

func (e *DuplicateFieldError) Error() string {
	return fmt.Sprintf("%s: field %q is there twice", e.Position, e.Field)
}

// FieldError says what is wrong with one field.
type FieldError struct {
	// Field is the field's name, "attributes.<key>" for one attribute, "$" for the
	// document itself.
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// InvalidError: the document is JSON, but no profile. It names every bad field once.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + " " + f.Detail
	}
	return strings.Join(parts, "; ")
}

// add notes what is wrong with field; the first fault of a field is the one that counts.
func (e *InvalidError) add(field, format string, args ...any) {
	if !e.has(field) {
		e.Fields = append(e.Fields, FieldError{field, fmt.Sprintf(format, args...)})
	}
}

func (e *InvalidError) has(field string) bool {
	return slices.ContainsFunc(e.Fields, func(f FieldError) bool { return f.Field == field })
}

func (e *InvalidError) orNil() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}

// Sentinels of Apply. Neither goes away by trying again.
var (
	// ErrUnknownEvent: the type is none that Changes makes.
	ErrUnknownEvent = errors.New("unknown type of profile event")
	// ErrMalformedEvent: the event lacks what its type must carry.
	ErrMalformedEvent = errors.New("malformed profile event")
)
