package servicebus

import (
	"cmp"
	"context"
	"slices"
)

// Planned is a letter that was chosen: enough to find it again, without its body.
type Planned struct {
	Number    int64
	MessageID string
	Key       string
	Seq       int64 // of the event, 0 if the body is none
	Reason    string

	at place
}

// Plan is what Redrive and Drop are to do, in that order.
type Plan struct {
	Letters []Planned
	// Behind were chosen, too, and stay: an earlier letter of their key was not. Sent before it,
	// they would have the consumer take it for lost.
	Behind []Planned
}

// PlanRedrive looks for the letters that choose returns true for, at most most of them (0: all),
// and brings them into the order of their keys. It remembers a few hundred bytes of each.
func (d *DeadLetters) PlanRedrive(ctx context.Context, choose func(Letter) bool, most int) (Plan, error) {
	var chosen []Planned
	staying := map[string]place{} // the first of each key that was not chosen
	err := d.Each(ctx, 0, func(l Letter) bool {
		if choose(l) {
			chosen = append(chosen, planned(l))
		} else if first, some := staying[l.Key()]; l.Unreadable == nil && (!some || l.place().compare(first) < 0) {
			staying[l.Key()] = l.place()
		}
		return true
	})
	var p Plan
	for _, c := range inOrder(chosen) {
		if first, some := staying[c.Key]; some && c.Seq > 0 && c.at.compare(first) > 0 {
			p.Behind = append(p.Behind, c)
		} else {
			p.Letters = append(p.Letters, c)
		}
	}
	if most > 0 && len(p.Letters) > most {
		p.Letters = p.Letters[:most] // the beginning of a key stays whole
	}
	return p, err
}

// PlanDrop looks for the letters that choose returns true for, at most most of them (0: all).
func (d *DeadLetters) PlanDrop(ctx context.Context, choose func(Letter) bool, most int) (Plan, error) {
	var p Plan
	err := d.Each(ctx, 0, func(l Letter) bool {
		if choose(l) {
			p.Letters = append(p.Letters, planned(l))
		}
		return most <= 0 || len(p.Letters) < most
	})
	return p, err
}

func planned(l Letter) Planned {
	return Planned{Number: l.Number, MessageID: l.MessageID, Key: l.Key(), Seq: l.Event.Seq, Reason: l.Reason, at: l.place()}
}

// inOrder groups letters by key, the key of the oldest letter first, each in its own order. What
// has no key is one of its own.
func inOrder(letters []Planned) []Planned {
	oldest := map[string]int64{}
	for _, l := range letters {
		if n, some := oldest[l.Key]; !some || l.Number < n {
			oldest[l.Key] = l.Number
		}
	}
	group := func(l Planned) int64 {
		if l.Key == "" {
			return l.Number
		}
		return oldest[l.Key]
	}
	slices.SortFunc(letters, func(a, b Planned) int {
		return cmp.Or(cmp.Compare(group(a), group(b)), a.at.compare(b.at), cmp.Compare(a.Number, b.Number))
	})
	return letters
}
