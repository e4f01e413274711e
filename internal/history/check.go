package history

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Judgement is what Check thinks of a history.
type Judgement int

// The judgements.
const (
	Fine Judgement = iota
	Broken
	// Undecided: the time was over before an order was found or excluded.
	Undecided
)

// String is the judgement as reports have it.
func (j Judgement) String() string { return [...]string{"fine", "broken", "undecided"}[j] }

// Verdict is the judgement on the history of one entity. Reason says what is broken.
type Verdict struct {
	Judgement Judgement
	Reason    string
}

// Check judges all calls of one entity, in any order. It takes limit at the longest.
func Check(calls []Call, limit time.Duration) Verdict { return Start{}.Check(calls, limit) }

// Check is the function Check for an entity that was there already.
func (from Start) Check(calls []Call, limit time.Duration) Verdict {
	calls = slices.SortedStableFunc(slices.Values(calls), func(a, b Call) int { return a.Start.Compare(b.Start) })
	if reason := lies(calls); reason != "" {
		return Verdict{Broken, reason}
	}
	return from.search(from.joined(calls), limit)
}

// search looks for an order.
func (from Start) search(calls []Call, limit time.Duration) Verdict {
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Start.Compare(b.Start) })
	operations, model := operations(calls), modelFrom(from.state())
	result, info := porcupine.CheckOperationsVerbose(model, operations, limit)
	switch result {
	case porcupine.Ok:
		return Verdict{Judgement: Fine}
	case porcupine.Illegal:
		return Verdict{Broken, explain(from.state(), operations, info)}
	}
	return Verdict{Undecided, fmt.Sprintf("%d calls were too many for %v", len(operations), limit)}
}

func modelFrom(first state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(s, input, _ any) (bool, any) { return s.(state).step(input.(*Call)) },
		Equal: func(a, b any) bool {
			return a.(state).equal(b.(state))
		},
	}
}

// operations are the calls that take part in the order.
func operations(calls []Call) []porcupine.Operation {
	if len(calls) == 0 {
		return nil
	}
	began := calls[0].Start
	var all []porcupine.Operation
	equal := map[string]int{}
	for i := range calls {
		c := &calls[i]
		o := porcupine.Operation{Input: c, Call: c.Start.Sub(began).Nanoseconds(), Return: c.End.Sub(began).Nanoseconds()}
		switch {
		case c.Outcome == NotStored, c.Method == http.MethodGet && !(c.Current && c.Outcome == Answered):
			continue
		case c.Outcome == Open && c.Effect == NoEffect && c.IdempotencyKey == "":
			continue // it left no receipt either
		case c.Outcome == Open:
			o.Return = math.MaxInt64
		}
		if c.unknown() {
			c.again = equal[c.sent()]
			equal[c.sent()]++
		}
		all = append(all, o)
	}
	return all
}

// explain names the call that the longest order cannot go on to.
func explain(s state, operations []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []porcupine.Operation
	for _, partitions := range info.PartialLinearizationsOperations() {
		for _, order := range partitions {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	placed := map[*Call]bool{}
	for _, o := range longest {
		_, s = s.step(o.Input.(*Call))
		placed[o.Input.(*Call)] = true
	}
	first := (*Call)(nil)
	for _, o := range operations {
		if c := o.Input.(*Call); !placed[c] && c.Outcome == Answered && (first == nil || c.End.Before(first.End)) {
			first = c
		}
	}
	if first == nil {
		return "no order explains what the open calls have done"
	}
	return fmt.Sprintf("no order explains the answers: the longest has %d of %d calls and ends at version %d (there: %v); what does not fit is %v",
		len(longest), len(operations), s.version, s.exists, *first)
}

// lies finds what no order is needed for: a call that was told "not stored" and was, and
// reads that show what nobody has written.
func lies(calls []Call) string {
	for _, c := range calls {
		if c.Outcome == NotStored && c.Effect > 0 {
			return fmt.Sprintf("told that nothing was stored, and it made version %d: %v", c.Effect, c)
		}
	}
	for _, c := range calls {
		if c.Method == http.MethodGet && c.Outcome == Answered && c.Answer.Status == http.StatusOK {
			if name, value, ok := phantom(c, calls); ok {
				return fmt.Sprintf("shows %s %q, which nobody has written by then: %v", name, value, c)
			}
		}
	}
	return ""
}

// phantom finds a value in a read that no call can have written.
func phantom(read Call, calls []Call) (name string, value any, found bool) {
	shown, err := members(read.Answer.Body)
	if err != nil {
		return "body", read.Answer.Body, true
	}
	for _, ours := range ofResource {
		delete(shown, ours)
	}
	for name, value := range shown {
		if !slices.ContainsFunc(calls, func(c Call) bool { return c.wrote(name, value, read.End) }) {
			return name, value, true
		}
	}
	return "", nil, false
}

// wrote says whether the call can have given the member this value before a moment.
func (c *Call) wrote(name string, value any, before time.Time) bool {
	if c.Method == http.MethodGet || c.Method == http.MethodDelete || c.Start.After(before) || c.Outcome == NotStored {
		return false
	}
	sent, err := members(c.Body)
	return err == nil && reflect.DeepEqual(sent[name], value)
}
