package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/relaybox/relaybox/outbox/replay"
)

// What the snapshot of an entity below 1 KB takes, in request units: docs/cost.md.
const (
	snapshotCharge = 17 // to write it
	sendingCharge  = 14 // to send it, which the app does
)

// replayResult is what the verb prints.
type replayResult struct {
	replay.Run
	DryRun bool `json:"dryRun"`
	// Expected is what the run would take, of a dry one.
	Expected *expectedReplay `json:"expected,omitempty"`
	Error    string          `json:"error,omitempty"`
}

type expectedReplay struct {
	Charge float64 `json:"requestUnits"`
	// Sending is what the app takes for it.
	Sending float64 `json:"requestUnitsToSend"`
	Seconds float64 `json:"seconds"`
}

// planned is the result of a dry run.
func (p *replaying) planned(c replay.Counts) replayResult {
	return replayResult{
		Run:    replay.Run{Kind: p.kind, Subscription: p.subscription, Author: p.author, Reason: p.reason, Counts: c, Charge: p.charge()},
		DryRun: true,
		Expected: &expectedReplay{
			Charge: float64(c.Snapshots) * snapshotCharge, Sending: float64(c.Snapshots) * sendingCharge,
			Seconds: float64(c.Snapshots) / float64(p.rate),
		},
	}
}

// replayTold is the result of a run that may not be done; so is what it has come to.
func replayTold(run replay.Run, so replay.Counts, err error) replayResult {
	run.Counts = so
	r := replayResult{Run: run}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (r replayResult) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	c := r.Counts
	text := fmt.Sprintf("%s: %s (%d of deleted ones), %d had theirs", plurals(c.Entities, "entity", "entities"), plural(c.Snapshots, "snapshot"), c.Gone, c.Known)
	if c.Failed > 0 {
		text += fmt.Sprintf(", %d failed", c.Failed)
	}
	text += fmt.Sprintf(", %.0f RU\n", r.Charge)
	switch {
	case r.DryRun && c.Entities == 0:
		text += "nothing would be done: there is no such entity, or the replay is done (--again begins a new one)\n"
	case r.DryRun:
		took := time.Duration(r.Expected.Seconds * float64(time.Second)).Round(time.Second)
		text += fmt.Sprintf("nothing was done; it would take %v and about %.0f RU, and the app %.0f to send it, if entities are below 1 KB\n", took, r.Expected.Charge, r.Expected.Sending)
	case r.Done && c.Entities == 0:
		text += fmt.Sprintf("there is no entity of the kind %s\n", r.Kind)
	case r.Done:
		text += fmt.Sprintf("done at %s; --again begins a new one\n", r.At.Format(time.RFC3339))
	}
	_, err := io.WriteString(out, text)
	return err
}

// plurals is plural for words that change.
func plurals(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
