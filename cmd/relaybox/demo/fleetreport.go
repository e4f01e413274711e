package demo

import (
	"slices"
	"time"

	"github.com/relaybox/relaybox/local/balancer"
)

// fleetReport is what the table shows of a run with instances.
type fleetReport struct {
	started, joined, left, killed int
	asked                         float64 // writes/s
	moved                         int     // requests that the proxy could not send, and moved on
	instances                     []balancer.Count
	work                          map[string]work
	writes, reads                 []time.Duration // answers
	unread                        int             // reads without an answer
	cached, hits                  int             // reads that a cache could answer, and that it did
	length                        time.Duration   // of the load
}

func (f *fleet) report() *fleetReport {
	r := f.run
	rep := &fleetReport{
		started: r.opts.Instances, joined: f.joined, left: f.left, killed: f.killed, asked: r.opts.Rate,
		work: map[string]work{}, reads: r.journal.took, unread: r.journal.failed, cached: r.journal.cached, hits: r.journal.hits, length: r.calm.to.Sub(r.calm.from),
	}
	rep.instances, rep.moved = f.proxy.Counts()
	for _, name := range f.all {
		rep.work[name] = r.watch.did(name)
	}
	for _, attempts := range r.journal.attempts {
		for _, a := range attempts {
			if a.outcome == acknowledged || a.outcome == declined {
				rep.writes = append(rep.writes, a.answered.Sub(a.sent))
			}
		}
	}
	slices.Sort(rep.writes)
	slices.Sort(rep.reads)
	return rep
}

const day = 24 * time.Hour

// perDay is a rate a second in millions a day.
func perDay(rate float64) float64 { return rate * day.Seconds() / 1e6 }

// requests/s that instances were sent.
func (f *fleetReport) rate() float64 {
	n := 0
	for _, i := range f.instances {
		n += i.Requests
	}
	return float64(n) / f.length.Seconds()
}

func (f *fleetReport) failed() (n int) {
	for _, i := range f.instances {
		n += i.Failed
	}
	return n
}

func (f *fleetReport) print(row func(name, format string, args ...any), r report) {
	spread := func(all []time.Duration) (string, string) { return ms(percentile(all, 50)), ms(percentile(all, 99)) }
	p50, p99 := spread(r.all)
	row("write-to-consumed", "p50 %s, p99 %s, with the kills in it", p50, p99)
	p50, p99 = spread(f.writes)
	row("write answered", "p50 %s, p99 %s", p50, p99)
	p50, p99 = spread(f.reads)
	row("read answered", "p50 %s, p99 %s, %d reads; %d more got no answer", p50, p99, len(f.reads), f.unread)
	row("reads that may be old", "%d by %v at most, %d of them from the cache", f.cached, allowed, f.hits)
	row("cache at the end", "%d entities, each as the store has it", r.kept)
	row("writes/s", "%.1f of %g that were asked for, %.2f million a day", r.perSecond, f.asked, perDay(r.perSecond))
	row("requests/s", "%.1f, %.2f million a day", f.rate(), perDay(f.rate()))
	row("instances", "%d; %d left, %d joined, %d were killed and came back", f.started, f.left, f.joined, f.killed)
	row("proxy", "%d requests moved on, of which nothing was sent; %d answered with 502 or 504", f.moved, f.failed())
	for _, i := range f.instances {
		w := f.work[i.Name]
		row("  "+i.Name, "%d requests, %d events sent, %d consumed", i.Requests, w.sent, w.consumed)
	}
}

// Fleet is the part of the Report about instances.
type Fleet struct {
	Instances  int             `json:"instances"`
	Joined     int             `json:"joined"`
	Left       int             `json:"left"`
	Killed     int             `json:"killed"`
	Asked      float64         `json:"writesPerSecondAsked"`
	Requests   float64         `json:"requestsPerSecond"`
	PerDay     float64         `json:"millionWritesPerDay"`
	WriteP50   float64         `json:"writeAnsweredP50"`
	WriteP99   float64         `json:"writeAnsweredP99"`
	Reads      int             `json:"reads"`
	Unread     int             `json:"readsWithoutAnswer"`
	Cached     int             `json:"readsThatMayBeOld"`
	Hits       int             `json:"cacheHits"`
	Kept       int             `json:"cachedAtTheEnd"`
	ReadP50    float64         `json:"readAnsweredP50"`
	ReadP99    float64         `json:"readAnsweredP99"`
	Moved      int             `json:"moved"`
	BadGateway int             `json:"badGateway"`
	Spread     []FleetInstance `json:"spread"`
}

// FleetInstance is what one instance did.
type FleetInstance struct {
	Name     string `json:"name"`
	Requests int    `json:"requests"`
	Sent     int    `json:"sent"`
	Consumed int    `json:"consumed"`
}

func (f *fleetReport) forPrograms(writesPerSecond float64, kept int) *Fleet {
	if f == nil {
		return nil
	}
	out := &Fleet{
		Instances: f.started, Joined: f.joined, Left: f.left, Killed: f.killed, Asked: f.asked, Requests: f.rate(), PerDay: perDay(writesPerSecond),
		WriteP50: millis(percentile(f.writes, 50)), WriteP99: millis(percentile(f.writes, 99)),
		Reads: len(f.reads), Unread: f.unread, Cached: f.cached, Hits: f.hits, Kept: kept, ReadP50: millis(percentile(f.reads, 50)), ReadP99: millis(percentile(f.reads, 99)),
		Moved: f.moved, BadGateway: f.failed(),
	}
	for _, i := range f.instances {
		w := f.work[i.Name]
		out.Spread = append(out.Spread, FleetInstance{i.Name, i.Requests, w.sent, w.consumed})
	}
	return out
}
