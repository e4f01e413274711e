package demo

import (
	"encoding/json"
	"io"
	"time"
)

// Report is the table of a run for programs. Times are in milliseconds.
type Report struct {
	Seed         uint64 `json:"seed"`
	Writes       int    `json:"writes"`
	Requests     int    `json:"requests"`
	Acknowledged int    `json:"acknowledged"`
	Declined     int    `json:"declined"`
	Unknown      int    `json:"unknown"`
	Events       int    `json:"events"`
	Published    int    `json:"published"`
	Consumed     int    `json:"consumed"`
	Dropped      int    `json:"duplicatesDropped"`
	Disorder     int    `json:"orderViolations"`
	Lost         int    `json:"lost"`
	// Listed are the profiles whose address the second consumer has, Unlisted those of which it has not.
	Listed    int     `json:"listed"`
	Unlisted  int     `json:"unlisted"`
	P50       float64 `json:"writeToConsumedP50"`
	P99       float64 `json:"writeToConsumedP99"`
	FastP50   float64 `json:"fastPathP50"`
	FastP99   float64 `json:"fastPathP99"`
	PerSecond float64 `json:"writesPerSecond"`
	Seconds   float64 `json:"seconds"`
	// Fleet is of a run with instances.
	Fleet *Fleet `json:"fleet,omitempty"`
	// Broken has a line for each invariant that did not hold; none when all did.
	Broken []string `json:"broken"`
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r report) encode(out io.Writer, seed uint64) error {
	broken := []string{}
	for _, v := range r.broken {
		broken = append(broken, v.invariant+": "+v.detail)
	}
	return json.NewEncoder(out).Encode(Report{
		Seed: seed, Writes: r.writes, Requests: r.attempts, Acknowledged: r.acknowledged, Declined: r.declined, Unknown: r.unknown,
		Events: r.events, Published: r.published, Consumed: r.consumed, Dropped: r.dropped, Disorder: r.disorder, Lost: r.lost, Listed: r.listed, Unlisted: r.unlisted,
		P50: millis(percentile(r.all, 50)), P99: millis(percentile(r.all, 99)), FastP50: millis(percentile(r.calm, 50)), FastP99: millis(percentile(r.calm, 99)),
		PerSecond: r.perSecond, Seconds: r.took.Seconds(), Fleet: r.fleet.forPrograms(r.perSecond, r.kept), Broken: broken,
	})
}
