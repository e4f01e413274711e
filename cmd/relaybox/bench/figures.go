package bench

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Figures are what one run of one workload was measured to take.
type Figures struct {
	// Events is how many there were in Elapsed; of an idle run there are none.
	Events  int
	Elapsed time.Duration
	// Answer is the time to the client's answer, Effect the time until the read model shows
	// it; both from when the request was meant to be sent.
	Answer, Effect Spread
	// Processor and Peak (resident memory, in bytes) are by process.
	Processor map[string]time.Duration
	Peak      map[string]int64
	Requests  []Requests // to the store
	// Sends are requests to the bus that carried events, and Twice events that it had already and
	// dropped; Allocations is a number of objects.
	Sends, Twice, Allocations Known
	// Refused are writes that were told so, or whose answer was lost: the load asks for none.
	Refused int
	Outcome Outcome
}

// Known is a number, or that there is none to be had.
type Known struct {
	Number int64
	Known  bool
}

func known(n int64) Known { return Known{n, true} }

// Requests of one kind of operation to one container.
type Requests struct {
	Container, Operation string
	Count                int64
	Units                float64
}

// Outcome is what must not be: all are zero after a good run.
type Outcome struct {
	// Lost are acknowledged writes without their event or their effect, Duplicate events that
	// are on the topic twice or were applied twice, Disordered those that came to the topic
	// too early or too late.
	Lost       int `json:"lost"`
	Duplicate  int `json:"duplicate"`
	Disordered int `json:"disordered"`
}

// Spread of a number of durations.
type Spread struct {
	N             int
	P50, P99, Max time.Duration
}

// spread sorts all.
func spread(all []time.Duration) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	return Spread{len(all), percentile(all, 50), percentile(all, 99), all[len(all)-1]}
}

// percentile of sorted values, by the nearest rank: the smallest value that at least so
// many percent of them don't exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

// Number is one line of a report.
type Number struct {
	Name  string
	Value float64
}

// numbers are the figures that can be had, in the order of the report. What happened in an
// idle run is told by the minute, everything else by the event.
func (f Figures) numbers() []Number {
	var list []Number
	add := func(name string, value float64) { list = append(list, Number{name, value}) }
	per, by := float64(f.Events), "event"
	if f.Events == 0 {
		per, by = f.Elapsed.Minutes(), "minute"
	}
	if f.Events > 0 {
		add("events/s", per/f.Elapsed.Seconds())
	}
	if whole := total(f.Processor); f.Events > 0 && whole > 0 {
		add("events/processor-s", per/whole.Seconds())
	}
	for _, s := range []struct {
		name string
		of   Spread
	}{{"answer", f.Answer}, {"effect", f.Effect}} {
		if s.of.N > 0 {
			add(s.name+"-p50-ms", milliseconds(s.of.P50))
			add(s.name+"-p99-ms", milliseconds(s.of.P99))
			add(s.name+"-max-ms", milliseconds(s.of.Max))
		}
	}
	for _, process := range order(f.Processor) {
		if f.Events > 0 {
			add(process+"-s/1k-events", f.Processor[process].Seconds()*1000/per)
		} else {
			add(process+"-s/minute", f.Processor[process].Seconds()/per)
		}
	}
	requests, units := int64(0), 0.0
	for _, r := range f.Requests {
		requests += r.Count
		units += r.Units
	}
	if f.Requests != nil {
		add("requests/"+by, float64(requests)/per)
		add("RU/"+by, units/per)
	}
	for _, r := range f.Requests {
		add(fmt.Sprintf("%s-%s/%s", r.Container, r.Operation, by), float64(r.Count)/per)
		add(fmt.Sprintf("%s-%s-RU/%s", r.Container, r.Operation, by), r.Units/per)
	}
	if f.Sends.Known {
		add("sends/"+by, float64(f.Sends.Number)/per)
	}
	if f.Twice.Known {
		add("sent-twice/"+by, float64(f.Twice.Number)/per)
	}
	if f.Allocations.Known {
		add("allocs/"+by, float64(f.Allocations.Number)/per)
	}
	for _, process := range order(f.Peak) {
		add(process+"-peak-MB", float64(f.Peak[process])/(1<<20))
	}
	return list
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func total(by map[string]time.Duration) (sum time.Duration) {
	for _, d := range by {
		sum += d
	}
	return sum
}

// order is that of the path of an event.
func order[V any](by map[string]V) []string {
	path := []string{"host", "handler", "store", "bus", "bare"}
	return slices.SortedFunc(maps.Keys(by), func(a, b string) int { return slices.Index(path, a) - slices.Index(path, b) })
}
