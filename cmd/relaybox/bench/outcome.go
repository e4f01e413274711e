package bench

import (
	"maps"
	"slices"
)

// acknowledged is what the clients were told about a key.
type acknowledged struct {
	writes  int // that were answered with success
	refused int // that were not: they may have been stored
}

// message is one event on the topic.
type message struct {
	key string
	seq int64
}

// model is a consumer's read model.
type model struct {
	lastSeq int64
	applied int64 // events, as the view counts them
}

// onTopic holds the messages of the topic, in its order, against what was acknowledged.
// Every write makes one event.
func onTopic(writes map[string]acknowledged, messages []message) (o Outcome) {
	reached, seen := map[string]int64{}, map[message]bool{}
	for _, m := range messages {
		switch {
		case seen[m]:
			o.Duplicate++
			continue
		case m.seq != reached[m.key]+1:
			o.Disordered++
		}
		seen[m] = true
		reached[m.key] = max(reached[m.key], m.seq)
	}
	came := map[string]int{}
	for m := range seen {
		came[m.key]++
	}
	for key, w := range writes {
		o.Lost += max(0, w.writes-came[key])
	}
	return o.add(phantoms(writes, came))
}

// dropped counts what came to the topic again and was dropped there: it got a number, too. numbers
// are those of what was kept, of which the first n do not count. What came again behind the last
// of them is not seen.
func dropped(numbers []int64, n int) Known {
	before := int64(0)
	switch {
	case len(numbers) == 0 || len(numbers) < n || slices.Contains(numbers, 0):
		return Known{}
	case n > 0:
		before = numbers[n-1]
	}
	return known(numbers[len(numbers)-1] - before - int64(len(numbers)-n))
}

// inViews holds the read models against what was acknowledged.
func inViews(writes map[string]acknowledged, models map[string]model) (o Outcome) {
	applied := map[string]int{}
	for key, m := range models {
		applied[key] = int(m.applied)
		o.Lost += int(max(0, m.lastSeq-m.applied))
		o.Duplicate += int(max(0, m.applied-m.lastSeq))
	}
	for key, w := range writes {
		o.Lost += int(max(0, int64(w.writes)-models[key].lastSeq))
	}
	return o.add(phantoms(writes, applied))
}

// phantoms counts what nobody can have asked for as duplicates.
func phantoms(writes map[string]acknowledged, happened map[string]int) (o Outcome) {
	for key := range maps.Keys(happened) {
		o.Duplicate += max(0, happened[key]-writes[key].writes-writes[key].refused)
	}
	return o
}

func (o Outcome) add(p Outcome) Outcome {
	return Outcome{o.Lost + p.Lost, o.Duplicate + p.Duplicate, o.Disordered + p.Disordered}
}

// Good: nothing was lost, doubled or disordered.
func (o Outcome) Good() bool { return o == Outcome{} }
