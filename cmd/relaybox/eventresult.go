package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/relaybox/relaybox/outbox"
)

// eventOutcome is what became of an event that was chosen.
type eventOutcome string

// The outcomes.
const (
	eventRedriven eventOutcome = "redriven"
	eventSkipped  eventOutcome = "skipped"
	eventPlanned  eventOutcome = "planned" // --dry-run
	eventPending  eventOutcome = "pending"
	eventGone     eventOutcome = "gone"
	eventChanged  eventOutcome = "changed"
	eventPassed   eventOutcome = "passed"
	eventFailed   eventOutcome = "failed"
	eventLeft     eventOutcome = "left"
)

// eventOutcomes are in the order that counts are printed in. text is for the person, told of all
// but what was done as they wished; left are those that leave the event parked.
var eventOutcomes = []struct {
	outcome eventOutcome
	text    string
	left    bool
}{
	{eventPlanned, "would be done", false},
	{eventRedriven, "", false},
	{eventSkipped, "", false},
	{eventPending, "is pending: it goes out by itself", false},
	{eventGone, "is not stored any more: " + goneText, false},
	{eventChanged, "was changed meanwhile, and is still parked; run it again", true},
	{eventPassed, "left: its key has gone on without it; sent now, it would come after its followers", true},
	{eventFailed, "failed", true},
	{eventLeft, "left: an earlier one of its key failed, or the run ended; run it again", true},
}

// eventResult tells what a run does, as it does it: there may be more than memory holds. Its
// zero pointer tells nobody.
type eventResult struct {
	out  io.Writer
	json *array // nil: for people

	mu      sync.Mutex // guards the rest, and what is written
	counts  map[eventOutcome]int
	unknown []string // names that nothing ever had
	// unrecorded is why the record of something that was done says only that it was begun.
	unrecorded error
	broken     error // nobody hears us any more
}

func newEventResult(out io.Writer, asJSON bool, verb string, dryRun bool) *eventResult {
	r := &eventResult{out: out, counts: map[eventOutcome]int{}}
	if asJSON {
		r.json = &array{out: out, open: fmt.Sprintf(`{"verb":%q,"dryRun":%v,"events":[`, verb, dryRun)}
	}
	return r
}

// mendedEvent is one of them as JSON.
type mendedEvent struct {
	Key     string       `json:"key"`
	Seq     int64        `json:"seq"`
	ID      string       `json:"id,omitempty"`
	Type    string       `json:"type,omitempty"`
	Outcome eventOutcome `json:"outcome"`
	Error   string       `json:"error,omitempty"`
}

func (r *eventResult) add(e outbox.Event, outcome eventOutcome, err error) {
	one := mendedEvent{Key: e.Key, Seq: e.Seq, ID: e.ID, Type: e.Type, Outcome: outcome}
	if err != nil {
		one.Error = err.Error()
	}
	r.tell(one, err)
}

// absent tells of a name that nothing is stored under. why is what the person is told.
func (r *eventResult) absent(name eventName, why string, sent bool) {
	if r == nil {
		return
	}
	if sent {
		r.tell(mendedEvent{Key: name.key, Seq: name.seq, Outcome: eventGone}, nil)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unknown = append(r.unknown, name.String())
	if r.json == nil {
		r.print("%s: there is no such event: %s\n", printable(name.String()), why)
	}
}

func (r *eventResult) tell(one mendedEvent, err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[one.Outcome]++
	if err != nil && one.Outcome != eventFailed {
		r.unrecorded = err
	}
	if r.json != nil {
		if err := r.json.add(one); err != nil {
			r.broken = err
		}
		return
	}
	for _, o := range eventOutcomes {
		if o.outcome == one.Outcome && o.text != "" {
			text := o.text
			if one.Error != "" {
				text += ": " + printable(one.Error)
			}
			r.print("%s: %s\n", printable(eventName{one.Key, one.Seq}.String()), text)
		}
	}
}

func (r *eventResult) print(format string, args ...any) {
	if _, err := fmt.Fprintf(r.out, format, args...); err != nil {
		r.broken = err
	}
}

// fault is why nobody hears us any more.
func (r *eventResult) fault() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// finish prints the counts, and fails if something is left. err is why the run ended early.
func (r *eventResult) finish(err error) error {
	left := len(r.unknown)
	var parts []string
	for _, o := range eventOutcomes {
		n := r.counts[o.outcome]
		if n > 0 {
			parts = append(parts, fmt.Sprint(n, " ", o.outcome))
		}
		if o.left {
			left += n
		}
	}
	if r.json == nil {
		if len(parts) == 0 && len(r.unknown) == 0 {
			parts = []string{"no event was chosen"}
		}
		if len(parts) > 0 {
			r.print("%s\n", strings.Join(parts, ", "))
		}
	} else if err := r.endJSON(err); err != nil {
		return err
	}
	switch {
	case r.broken != nil:
		return r.broken
	case err != nil:
		return err
	case r.unrecorded != nil:
		return fmt.Errorf("not everything could be recorded: %w", r.unrecorded)
	case left > 0:
		return exitStatus(exitFailed)
	}
	return nil
}

func (r *eventResult) endJSON(ended error) error {
	rest := struct {
		Counts  map[eventOutcome]int `json:"counts"`
		Unknown []string             `json:"unknown,omitempty"` // names that nothing ever had
		Error   string               `json:"error,omitempty"`   // why the run ended early
	}{Counts: r.counts, Unknown: r.unknown}
	if ended != nil {
		rest.Error = ended.Error()
	}
	text, err := json.Marshal(rest)
	if err != nil {
		return err
	}
	return r.json.end("," + string(text[1:]))
}
