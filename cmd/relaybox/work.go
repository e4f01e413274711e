package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// tidy ends the temporary folder of a run. It is kept for whoever asks for it, and when a run
// that had begun failed by itself: then it is evidence. One that was interrupted, or never
// began, has nothing to show.
func tidy(ctx context.Context, out io.Writer, dir string, keep, began bool, err error) error {
	if keep || began && err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintln(out, "data and logs kept in", dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// atLeast is a fault if a flag's value is below what makes sense.
func atLeast[N int | float64 | time.Duration](flag string, value, least N) error {
	if value >= least {
		return nil
	}
	return usage("--%s %v: it must be at least %v", flag, value, least)
}

// above is a fault if a flag's value is not above zero.
func above[N float64 | time.Duration](flag string, value N) error {
	if value > 0 {
		return nil
	}
	return usage("--%s %v: it must be above zero", flag, value)
}
