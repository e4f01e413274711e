package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Exit statuses, the same for every verb. docs/cli.md explains them.
const (
	exitFailed      = 1   // it failed, or found something that is wrong
	exitUsage       = 2   // the command line makes no sense; nothing was done
	exitUnknown     = 3   // nothing wrong was found, but not everything could be looked at
	exitInterrupted = 130 // Ctrl-C or SIGTERM ended it before it was done
)

// exitStatus ends the program with a status of its own after everything has been said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a fault of the command line: it is found before anything is touched.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exit says what went wrong, unless that was done, and returns the exit status. ctx has ended
// when somebody interrupted the program.
func exit(ctx context.Context, err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	_, misused := errors.AsType[usageError](err)
	switch {
	case misused:
		_, _ = fmt.Fprintln(stderr, "relaybox:", err)
		return exitUsage
	case ctx.Err() != nil:
		// What was under way says that it was killed or cancelled: everybody knows by whom.
		_, _ = fmt.Fprintln(stderr, "relaybox: interrupted")
		return exitInterrupted
	}
	_, _ = fmt.Fprintln(stderr, "relaybox:", err)
	return exitFailed
}
