package sql

import (
	"errors"
	"fmt"
)

// Codes of a SyntaxError, as the service numbers them.
const (
	codeSyntax   = "SC1001" // the text is not the language's
	codeName     = "SC2001" // an identifier stands for nothing
	codeFunction = "SC2005" // a function does not exist
	codeArgs     = "SC2050" // a function got a wrong number of arguments
	codeGroup    = "SC2102" // neither grouped nor aggregated

	// ORDER BY's, in shapes of their own, by what users of the service have reported and its clients' tests expect.
	codeOrder      = "2206" // it names no path
	codeCorrelated = ""     // it names what is not of the document itself
)

// SyntaxError is a query that is refused, with the place of its fault.
type SyntaxError struct {
	Start, End int // in bytes
	Code       string
	Msg        string
}

// Error returns the fault in the service's shape.
func (e *SyntaxError) Error() string {
	switch e.Code {
	case codeCorrelated:
		return fmt.Sprintf(`{"Errors":[%s]}`, AppendString(nil, e.Msg))
	case codeOrder:
		return fmt.Sprintf(`{"errors":[{"severity":"Error","code":%s,"message":%s}]}`, e.Code, AppendString(nil, e.Msg))
	}
	return fmt.Sprintf(`{"errors":[{"severity":"Error","location":{"start":%d,"end":%d},"code":%q,"message":%s}]}`,
		e.Start, e.End, e.Code, AppendString(nil, e.Msg))
}

var (
	// ErrParameter is returned by Run when the query names a parameter that was not given.
	ErrParameter = errors.New("undefined query parameter")
	// ErrCount is returned by Run when TOP, OFFSET or LIMIT is not a whole number from 0.
	ErrCount = errors.New("TOP, OFFSET and LIMIT take whole numbers from 0")
	// ErrMemory is returned by Run when ORDER BY RANK, DISTINCT, GROUP BY or a subquery would
	// have to hold more than the budget.
	ErrMemory = errors.New("the query needs too much memory")
	// ErrEffort is returned by Matches for a condition that takes too long.
	ErrEffort = errors.New("the condition takes too long")
	// ErrPattern is returned by Run for a regular expression that this package cannot
	// evaluate, but the service may.
	ErrPattern = errors.New("the regular expression is not supported here")
	// ErrTerms is returned by Run when FULLTEXTSCORE gets more terms than it counts here.
	ErrTerms = fmt.Errorf("FULLTEXTSCORE takes at most %d terms", maxTerms)
	// ErrCursor is returned for a continuation that is not one of this query.
	ErrCursor = errors.New("invalid continuation token")
)
