package demo

import (
	"fmt"
	"math/rand/v2"
)

// write is one unit of the workload: what a client wants, and how it asks for it.
type write struct {
	number int
	kind   *kind
	id     string
	want   intent
	// instead is the PUT that the client sends when there is nothing to do want to.
	instead intent
	// conditional: read first, then send with If-Match, or If-None-Match: * when
	// there is nothing; on 412 read again.
	conditional bool
	// idempotencyKey is sent with every attempt when it is not empty; twin sends the
	// first attempt twice at the same time.
	idempotencyKey string
	twin           bool
}

func (w write) key() string { return w.kind.key(w.id) }

// Shares of the workload, in percent of the writes; the rest go to profiles, and ask for
// nothing special.
const (
	percentOrders      = 25
	percentConditional = 20
	percentTwin        = 5
	percentKeyed       = 15
)

// plan draws count writes to times the kinds' ids. The same rng gives the same workload.
func plan(rng *rand.Rand, count, times int) []write {
	writes := make([]write, count)
	for n := range writes {
		kind := profiles
		if chance(rng, percentOrders) {
			kind = orders
		}
		writes[n] = draw(rng, n, kind, fmt.Sprintf("demo-%03d", rng.IntN(kind.ids*times)))
	}
	return writes
}

func draw(rng *rand.Rand, n int, k *kind, id string) write {
	mark := fmt.Sprintf("w%05d", n)
	w := write{number: n, kind: k, id: id, want: k.want(rng, mark), instead: k.put(rng, mark+"-instead")}
	if w.want.verb == keep {
		w.conditional = true
		return w
	}
	switch p := rng.IntN(100); {
	case p < percentConditional:
		w.conditional = true
	case p < percentConditional+percentTwin:
		w.twin = true
		w.idempotencyKey = fmt.Sprintf("twin-%05d", n)
	case p < percentConditional+percentTwin+percentKeyed:
		w.idempotencyKey = fmt.Sprintf("key-%05d", n)
	}
	return w
}

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }
