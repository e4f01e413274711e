package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// uncounted: the broker does not say how many copies it has dropped.
const uncounted = -1

// report is everything that the table shows.
type report struct {
	verdict
	writes    int
	attempts  int
	dropped   int // copies that the broker dropped, or uncounted
	all, calm []time.Duration
	perSecond float64
	took      time.Duration
	fleet     *fleetReport // nil: there was one instance
}

func (r report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("", "")
	row("acknowledged writes", "%d of %d, in %d requests", r.acknowledged, r.writes, r.attempts)
	row("declined by the state", "%d, which changed nothing", r.declined)
	for _, k := range kinds {
		t := r.kinds[k]
		row("  "+k.path, "%d writes and %d declined, %d events of %d %s", t.acknowledged, t.declined, t.events, t.entities, k.path)
	}
	row("  ids of both kinds", "%d", r.shared())
	row("outcome unknown", "%d writes; %d lost answers turned out to be changes", r.unknown, r.found)
	row("events", "%d", r.events)
	row("published", "%d", r.published)
	row("consumed", "%d", r.consumed)
	if r.dropped != uncounted {
		row("duplicates dropped", "%d by the broker", r.dropped)
	}
	row("order violations", "%d", r.disorder)
	row("lost", "%d", r.lost)
	row("mailing list", "%d addresses of a second consumer are right, %d wrong", r.listed, r.unlisted)
	if r.fleet != nil {
		r.fleet.print(row, r)
	} else {
		row("write-to-consumed", "p50 %s, p99 %s, with the outage and the kill in it", ms(percentile(r.all, 50)), ms(percentile(r.all, 99)))
		row("fast path", "p50 %s, p99 %s, %d writes in calm", ms(percentile(r.calm, 50)), ms(percentile(r.calm, 99)), len(r.calm))
		row("writes/s", "%.0f at full speed", r.perSecond)
	}
	row("run time", "%.1f s", r.took.Seconds())
	row("", "")
	return w.Flush()
}

// shared counts the ids that stood for an entity of more than one kind.
func (v verdict) shared() int {
	times, shared := map[string]int{}, 0
	for key, h := range v.histories {
		if _, id := splitKey(key); len(h.events) > 0 {
			if times[id]++; times[id] == 2 {
				shared++
			}
		}
	}
	return shared
}

func ms(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
}

// BrokenError: an invariant does not hold. The details name the ids.
type BrokenError struct {
	Invariant string
	Details   []string
	// Others counts the violations of further invariants.
	Others int
}

func (e *BrokenError) Error() string {
	const most = 10
	text := fmt.Sprintf("broken: %s (%d times", e.Invariant, len(e.Details))
	if e.Others > 0 {
		text += fmt.Sprintf(", and %d violations of other invariants", e.Others)
	}
	text += ")"
	for i, d := range e.Details {
		if i == most {
			return text + fmt.Sprintf("\n  and %d more", len(e.Details)-most)
		}
		text += "\n  " + d
	}
	return text
}

// err is nil when every invariant held, else the first broken one, in the order of an
// event's path.
func (v verdict) err() error {
	if len(v.broken) == 0 {
		return nil
	}
	e := &BrokenError{Invariant: v.broken[0].invariant}
	for _, b := range v.broken {
		if b.invariant == e.Invariant {
			e.Details = append(e.Details, b.detail)
		} else {
			e.Others++
		}
	}
	return e
}
