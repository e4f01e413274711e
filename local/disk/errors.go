package disk

import (
	"fmt"
	"time"
)

// FullError: there is no room in Dir for what would be written. Nothing was. Once there is room, writes go on.
type FullError struct {
	Dir          string
	Free, Needed uint64 // bytes
	start        bool   // nothing runs that could go on
}

// Error names the folder, what is missing, and what to do.
func (e *FullError) Error() string {
	then := "and writes go on by themselves"
	if e.start {
		then = "and start again"
	}
	if e.Free >= e.Needed { // of the disk: who writes may have less
		return fmt.Sprintf("the disk of %s is full, or a quota of it: a write finds no room; make room there, %s", e.Dir, then)
	}
	return fmt.Sprintf("the disk of %s is full: %s are free, and %s must be; make room there, %s", e.Dir, megabytes(e.Free), megabytes(e.Needed), then)
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// DamageError: what is in Dir is not all that was acknowledged, or cannot be read.
type DamageError struct {
	Dir          string
	Acknowledged uint64    // changes; 0: unknown
	Found        uint64    // of them
	At           time.Time // of the last acknowledged change
	Cause        error     // why the store cannot be opened at all; nil: it can, with what was found
}

// Error names the folder, what is gone, and what to do.
func (e *DamageError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("the store in %s is damaged and cannot be opened: %v; bring back a copy of the folder, or remove it and lose what is in it", e.Dir, e.Cause)
	}
	until := ""
	if !e.At.IsZero() { // the mark that knows may be gone, too
		until = " up to " + e.At.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return fmt.Sprintf("the store in %s is damaged: %d of %d changes are gone that were acknowledged%s; bring back a copy of the folder, or accept the loss with %s",
		e.Dir, e.Acknowledged-e.Found, e.Acknowledged, until, Accept)
}

// Accept is how the loss is accepted, by who starts a stand-in.
const Accept = "--accept-loss (Options.AcceptLoss in Go)"

// Unwrap is the cause.
func (e *DamageError) Unwrap() error { return e.Cause }
