package document

import (
	"fmt"
	"strings"
)

// Position is a place in a JSON text.
type Position struct {
	// Offset counts bytes from 0; Line and Column (in characters) count from 1.
	Offset, Line, Column int
}

// String is the position as editors write it.
func (p Position) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// SyntaxError: the text is not one JSON document in UTF-8. The sender mends the text.
type SyntaxError struct {
	Position
	Reason string
}

// Error names the place and the reason.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s: %s", e.Position, e.Reason) }

// UnknownFieldError: the document has a field that its kind does not have.
type UnknownFieldError struct {
	Position
	// Field is the field's path: "bio", "lines[2].sku".
	Field string
	// Meant is the field whose name differs in case only, "" when there is none.
	Meant string
}

// Error names the place, the field and the one that was meant.
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

// Error names the place and the field.
func (e *DuplicateFieldError) Error() string {
	return fmt.Sprintf("%s: field %q is there twice", e.Position, e.Field)
}

// FieldError says what is wrong with one field.
type FieldError struct {
	// Field is the field's path: "email", "attributes.team", "lines[2].sku"; "$" is the
	// document itself.
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// InvalidError: the document is JSON, but not of its kind. It names every bad field once.
type InvalidError struct{ Fields []FieldError }

// Error names every field with its fault.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + " " + f.Detail
	}
	return strings.Join(parts, "; ")
}

// maxFaults bounds what one answer lists: a body may hold thousands of bad members.
const maxFaults = 100

// Faults collects what is wrong with the fields of one document. The zero value is ready.
type Faults struct {
	fields []FieldError
	seen   map[string]bool
}

// Add notes what is wrong with field; the first fault of a field is the one that counts.
// The detail goes on where the field's name ends: "must be …", "is required".
func (f *Faults) Add(field, format string, args ...any) {
	if f.Has(field) || f.full() {
		return
	}
	detail := fmt.Sprintf(format, args...)
	if len(f.fields) == maxFaults {
		field, detail = "$", "has more faults than are listed"
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[field] = true
	f.fields = append(f.fields, FieldError{field, detail})
}

// full: nothing more is listed.
func (f *Faults) full() bool { return len(f.fields) > maxFaults }

// Has says whether field has a fault already.
func (f *Faults) Has(field string) bool { return f.seen[field] }

// Err is an *InvalidError with all faults, nil when there are none.
func (f *Faults) Err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &InvalidError{f.fields}
}
