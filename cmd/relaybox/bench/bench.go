// Package bench measures what the product takes for an event, on this machine, and puts it
// beside what cannot be beaten here: the ceiling, which makes the same requests to the same
// stand-ins with the same SDKs and has none of our logic, no host and no second process.
//
// It promises that what it compares was measured in one run, in turns, with one client, and
// that a run in which an event was lost, doubled or disordered fails. It does not promise that
// figures of two runs, or of two machines, can be compared: ratios can.
//
// # Processes
//
//	clients ──http──→ host ─→ handler ──→ store
//	                        └──→ bus ──→ the app's subscription
//	                               └──→ the watch's: never received from
//
// Each is a process of its own, on a disk of its own, started anew for each workload, so that
// what each has used is told apart (Linux only). The clients and the ceiling run in this one.
// Nothing is taken from the app's logs: store and bus are asked, by their own protocols, so
// another checkout's binaries can be measured as well (Options.Theirs).
//
// # Trials
//
//	for each round: for each workload: ceiling ─→ ours ─→ theirs, or the other way round
//
// Figures of a report are medians of the rounds.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Checkout is a program and its app.
type Checkout struct {
	// Relaybox runs the parts; App is an assembled folder.
	Relaybox, App string
}

// Options of a run.
type Options struct {
	// Workloads are names; none means all but Million.
	Workloads []string
	// Ours is measured, and Theirs in turns with it unless it is zero.
	Ours, Theirs Checkout
	// Quick makes everything small.
	Quick bool
	// Rounds is how often each is measured.
	Rounds int
	// Seed makes the load.
	Seed uint64
	// Dir keeps data and logs.
	Dir string
	// Out hears of progress and gets the report.
	Out io.Writer
	// Margins are what the numbers have to keep to, if there are any.
	Margins []Margin
}

var (
	// ErrBroken: something was lost, doubled or disordered; the report says where.
	ErrBroken = errors.New("events were lost, doubled or disordered")
	// ErrNoWorkload: Options.Workloads has a name that there is not.
	ErrNoWorkload = errors.New("there is no such workload")
)

// Side is who was measured.
type Side string

// The sides.
const (
	Ours    Side = "ours"
	Theirs  Side = "theirs"
	Ceiling Side = "ceiling"
)

// Run measures and prints the report. Its error is ErrBroken when a promise was, and
// ErrGuarded when only a margin was.
func Run(ctx context.Context, o Options) (*Report, error) {
	all, err := choose(o)
	if err != nil {
		return nil, err
	}
	report := &Report{Seed: o.Seed, Quick: o.Quick, Machine: machine(), Started: time.Now().UTC().Truncate(time.Second)}
	sides := []Side{Ceiling, Ours}
	if o.Theirs != (Checkout{}) {
		sides = append(sides, Theirs)
	}
	for round := range max(1, o.Rounds) {
		for _, w := range all {
			for _, side := range sides {
				f, err := measure(ctx, o, w, side, round)
				if errors.Is(err, errNotHere) {
					continue
				}
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", w.name, side, err)
				}
				report.Trials = append(report.Trials, newTrial(w.name, side, round, f))
			}
		}
		slices.Reverse(sides) // so that whoever comes second has no advantage of it
	}
	if err := report.print(o.Out); err != nil {
		return nil, err
	}
	if !report.good() {
		return report, ErrBroken
	}
	return report, report.guard(o.Out, o.Margins)
}

// Check says which of the workloads there is not: ErrNoWorkload.
func Check(o Options) error {
	_, err := choose(o)
	return err
}

// choose are the workloads that are asked for, or those that there are margins for.
func choose(o Options) ([]workload, error) {
	all := workloads(o)
	if len(o.Workloads) == 0 {
		o.Workloads = Guarded(o.Margins)
	}
	if len(o.Workloads) == 0 {
		return slices.DeleteFunc(all, func(w workload) bool { return w.asked }), nil
	}
	var chosen []workload
	for _, name := range o.Workloads {
		before := len(chosen)
		for _, w := range all {
			if w.name == name || w.family() == name && !w.asked {
				chosen = append(chosen, w)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("%q: %w: choose some of %v", name, ErrNoWorkload, families(all))
		}
	}
	return chosen, nil
}

// measure runs one trial on a rig of its own.
func measure(ctx context.Context, o Options, w workload, side Side, round int) (f Figures, err error) {
	run, of := w.run, o.Ours
	switch side {
	case Ceiling:
		run = w.ceiling
	case Theirs:
		if of = o.Theirs; w.ours {
			run = nil
		}
	}
	if run == nil {
		return f, errNotHere
	}
	t := &trial{name: fmt.Sprintf("%s, %s, round %d", w.name, side, round+1), out: o.Out}
	t.say("starts")
	dir := filepath.Join(o.Dir, fmt.Sprintf("%s-%s-%d", w.family(), side, round))
	if t.rig, err = assemble(ctx, dir, of, w.bus...); err != nil {
		return f, err
	}
	defer t.rig.close()
	if f, err = run(ctx, t); err != nil {
		return f, err
	}
	t.say("%s", f)
	t.rig.close()
	return f, os.RemoveAll(dir) // a good one's logs are of no use
}

var errNotHere = errors.New("the workload is not for this side")

// trial is one workload under way on one side.
type trial struct {
	name string
	rig  *rig
	out  io.Writer

	mu   sync.Mutex // guards said, and out
	said time.Time
}

func (t *trial) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell(format, args...)
}

func (t *trial) tell(format string, args ...any) {
	t.said = time.Now()
	_, _ = fmt.Fprintf(t.out, "%s  %s: %s\n", t.said.Format(time.TimeOnly), t.name, fmt.Sprintf(format, args...))
}

// sayEvery is how often progress is told.
const sayEvery = 5 * time.Second

// progress says how far it is, now and then.
func (t *trial) progress(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.said) >= sayEvery {
		t.tell(format, args...)
	}
}
