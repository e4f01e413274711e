package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/outbox"
)

// brokerTakes is how large a message the broker takes, in bytes. The app is told a higher
// limit, so that it stores events that nobody can send.
const brokerTakes = 256 << 10

// poison is a write whose event the broker refuses for what it is.
func poison(r *rand.Rand, _ int) fault {
	who, key := 60+r.IntN(20), profiles.key(pick(r, "k0", "k1", "big"))
	return fault{name: fmt.Sprintf("%s gets an event that is larger than the broker takes, and further ones behind it", key), on: func(w *world) {
		c := w.client(who)
		for n, body := range []string{profiles.put("before", 0), large(), profiles.put("behind", 1), profiles.put("behind", 2)} {
			for range 5 {
				r := request{key: key, method: http.MethodPut, body: body, idempotency: fmt.Sprintf("%s-%d", c.name, n)}
				if c.send(context.Background(), r, c.anywhere()) == history.Answered {
					break
				}
				time.Sleep(time.Second)
			}
		}
	}}
}

// large is a profile that a request may just hold, and an event not.
func large() string {
	const size = 262_000
	var b strings.Builder
	b.WriteString(`{"displayName":"large","attributes":{"a":""`)
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, `,"a%d":%q`, n, strings.Repeat("x", max(0, min(4000, size-b.Len()-20))))
	}
	b.WriteString("}}")
	return b.String()
}

// waiting is an event in the outbox.
type waiting struct {
	outbox.Event
	TTL json.RawMessage
}

// poisonous: the broker never takes it.
func (e waiting) poisonous() bool { return len(e.Envelope) > brokerTakes }

// outboxOf are the events among an entity's documents, by number.
func outboxOf(docs map[string]json.RawMessage) []waiting {
	var all []waiting
	for id, raw := range docs {
		if strings.HasPrefix(id, "ob-") {
			var doc struct{ TTL json.RawMessage }
			_ = json.Unmarshal(raw, &doc)
			e, _ := cosmos.ReadEvent(raw)
			all = append(all, waiting{e, doc.TTL})
		}
	}
	slices.SortFunc(all, func(a, b waiting) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// pulse is how long after a write to another key its event is at the topic at the latest,
// while poison waits and nothing else is wrong: the sweep that takes over from a fast path
// that has died comes in the second, and two retries of the poison do not hold it up.
const pulse = 5 * time.Second

// pulses is how often the others are looked at beside a parked event.
const pulses = 3

// isolate looks at poison: it must be parked while others have work, be told of by a
// sweep, and hold up nobody else. Others have work because this writes it: one key alone that
// is refused may as well be a destination that refuses everything.
func (w *world) isolate(breach func(guarantee, format string, args ...any)) {
	c := w.client(51)
	end := time.Now().Add(drainTime)
	for n := 0; ; n++ {
		var pending, parked int
		for _, docs := range w.documents(entities) {
			if out := outboxOf(docs); len(out) > 0 && out[0].poisonous() {
				if out[0].Parked() {
					parked++
				} else {
					pending++
				}
			}
		}
		switch told := w.standing(); {
		case pending+parked == 0, pending == 0 && n >= pulses && told == parked:
			return
		case time.Now().After(end):
			breach("G5", "%v after the last fault %d events that the broker refuses are not parked, %d are, and the newest sweep tells of %d", drainTime, pending, parked, told)
			return
		}
		if c.put(profiles.key("pulse"), profiles.put(fmt.Sprintf("pulse-%d", n), n%3)) != history.Answered {
			breach("G5", "a write to another key than the refused one is not answered")
			return
		}
		if late := w.pulsed(); late != "" {
			breach("G5", "%v after a write to another key than the refused one: %s", pulse, late)
			return
		}
		time.Sleep(3 * time.Second)
	}
}

// pulsed waits for the pulse's events, and says what waits longer than it may.
func (w *world) pulsed() string {
	for end := time.Now().Add(pulse); ; time.Sleep(500 * time.Millisecond) {
		out := outboxOf(w.documents(entities)[profiles.key("pulse")])
		if len(out) == 0 {
			return ""
		}
		if time.Now().After(end) {
			return fmt.Sprintf("event %d is in the outbox", out[0].Seq)
		}
	}
}

func (c *client) put(key, body string) history.Outcome {
	return c.send(context.Background(), request{key: key, method: http.MethodPut, body: body}, c.w.instances[0])
}

// standing is how many parked events the newest sweep has told of.
func (w *world) standing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

// parkAfter is the app's default: how often a message is refused before it is parked.
const parkAfter = 3
