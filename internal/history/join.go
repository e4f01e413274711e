package history

import (
	"maps"
	"slices"
	"time"
)

// joined puts the calls under one Idempotency-Key into one call, where that says the same: the
// first of them decides, and the others are told what it was told, whenever they come. So what
// was told must have been decided before the first of the answers, and the key is of no more
// use. The search would otherwise try each place of each call whose answer was lost, with and
// without the receipt that it may have left.
func (from Start) joined(calls []Call) []Call {
	groups := map[string][]Call{}
	for _, c := range calls {
		if c.IdempotencyKey != "" && c.Outcome != NotStored {
			groups[c.IdempotencyKey] = append(groups[c.IdempotencyKey], c)
		}
	}
	for _, r := range from.Receipts {
		delete(groups, r.IdempotencyKey) // decided before the history begins
	}
	one := map[string]Call{}
	for key, g := range groups {
		if c, ok := join(g); ok {
			one[key] = c
		}
	}
	calls = slices.DeleteFunc(calls, func(c Call) bool {
		_, ok := one[c.IdempotencyKey]
		return ok && c.Outcome != NotStored
	})
	return append(calls, slices.Collect(maps.Values(one))...)
}

// join makes one call of those under one key, in order of their starts. It makes none where
// they contradict each other, or where nobody has looked what became of them: then the search
// says what is wrong.
func join(group []Call) (Call, bool) {
	c := group[0]
	var decided, told *Call // decided: by the witness of others
	var by time.Time        // when the first answer was there
	for i := range group {
		o := &group[i]
		if o.request() != c.request() || o.Effect == Unseen {
			return c, false
		}
		if o.Effect > 0 {
			if decided != nil {
				return c, false
			}
			decided = o
		}
		if o.Outcome != Answered {
			continue
		}
		switch {
		case told == nil:
			told, by = o, o.End
		case told.Answer.Status != o.Answer.Status, shows(o.Answer.Status) && (told.Answer.Body != o.Answer.Body || told.Answer.ETag != o.Answer.ETag):
			return c, false
		case o.End.Before(by):
			by = o.End
		}
	}
	if decided != nil {
		c = *decided
	}
	if told != nil {
		c.Outcome, c.Answer, c.End = Answered, told.Answer, by
	}
	c.IdempotencyKey = ""
	return c, !c.End.Before(c.Start)
}
