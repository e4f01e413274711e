package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/relaybox/relaybox/azure/access"
)

// Verdict says how far a question came.
type Verdict int

// Verdicts, from the farthest away to the nearest.
const (
	// NoAnswer: no connection, or nothing came back in time.
	NoAnswer Verdict = iota
	// NoToken: our identity gave no token, so nothing was asked.
	NoToken
	// Unauthorized: the service does not know the key or the token (401).
	Unauthorized
	// Forbidden: it knows us, and we may not ask this, or not from here (403).
	Forbidden
	// Missing: what was asked for is not there (404).
	Missing
	// Faulty: the service answered something else than was expected.
	Faulty
)

// Error is a question without the wanted answer. Its text is one line and holds no key.
type Error struct {
	Verdict Verdict
	Err     error
}

// Error is one line, without a URL that may carry a signature.
func (e *Error) Error() string { return oneLine(e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Judge wraps err with the verdict that its type or its HTTP status tells, or NoAnswer
// without either. What is judged already keeps its verdict and loses what was wrapped around
// it, and so does what a credential said; nil stays nil.
func Judge(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*access.TokenError](err); ok {
		return &Error{NoToken, e.Err}
	}
	if _, ok := errors.AsType[*access.SettingError](err); ok {
		return &Error{Faulty, err}
	}
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return &Error{ofStatus(e.StatusCode), statusError{e}}
	}
	return &Error{NoAnswer, err}
}

// Of is the verdict of an error that Judge returned.
func Of(err error) Verdict {
	if e, ok := errors.AsType[*Error](Judge(err)); ok {
		return e.Verdict
	}
	return Faulty
}

func ofStatus(status int) Verdict {
	switch status {
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return Missing
	}
	return Faulty
}

// statusError is an *azcore.ResponseError without the pages of text that the SDK prints.
type statusError struct{ err *azcore.ResponseError }

func (e statusError) Error() string {
	text := fmt.Sprintf("status %d (%s)", e.err.StatusCode, http.StatusText(e.err.StatusCode))
	if code := e.err.ErrorCode; code != "" && !strings.EqualFold(code, http.StatusText(e.err.StatusCode)) && len(code) < 64 {
		text += ", " + code
	}
	return text
}

func (e statusError) Unwrap() error { return e.err }

// oneLine cuts an error's text at its first line, because credential chains print a
// page, and leaves a URL out, because it may carry a signature.
func oneLine(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimRight(strings.TrimSpace(first), ".:")
}
