package sqlfilter

import (
	"errors"
	"fmt"
)

// A SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	Offset int // in bytes, from 0
	Reason string
}

// Error counts positions from 1.
func (e *SyntaxError) Error() string { return fmt.Sprintf("position %d: %s", e.Offset+1, e.Reason) }

// Evaluating. The rule does not apply to the message then.
var (
	// ErrNoSystemProperty: there is no system property of that name, or it cannot be changed.
	ErrNoSystemProperty = errors.New("no such system property")
	// ErrDivision: a whole number was divided by zero.
	ErrDivision = errors.New("division by zero")
	// ErrOperand: an operator got a value that it cannot work on, such as the sign of a text.
	ErrOperand = errors.New("the operand has the wrong kind")
)
