package history

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world carries out calls on one entity, and knows what becomes of each.
type world struct {
	r     *rand.Rand
	s     state
	began time.Time
	calls []Call
}

func (w *world) at(tenth int) time.Time {
	return w.began.Add(time.Duration(tenth) * 100 * time.Millisecond)
}

// play has n requests carried out one after another, at the middle of their calls, which
// overlap. Some are sent several times under their key, and of some the answer is lost.
func (w *world) play(n int) {
	for i := range n {
		c := Call{Method: []string{http.MethodPut, http.MethodPut, http.MethodPatch, http.MethodDelete}[w.r.IntN(4)]}
		if c.Method != http.MethodDelete {
			c.Body = fmt.Sprintf(`{"displayName":"n%d"}`, w.r.IntN(3))
		}
		if w.r.IntN(2) == 0 {
			c.IfMatch = fmt.Sprintf(`"%d-a1"`, w.s.version)
		}
		copies := 1
		if w.r.IntN(3) > 0 {
			c.IdempotencyKey = fmt.Sprint("k", i)
			copies += w.r.IntN(3)
		}
		for j := range copies {
			w.carryOut(c, 4*i+5*j)
		}
	}
}

// carryOut gives a call its effect at a moment, unless it is lost on the way.
func (w *world) carryOut(c Call, moment int) {
	c.Start, c.End = w.at(moment-w.r.IntN(8)), w.at(moment+1+w.r.IntN(8))
	c.Effect = NoEffect
	if w.r.IntN(6) == 0 {
		w.calls = append(w.calls, c) // Open
		return
	}
	lost := w.r.IntN(4) == 0
	var shown state
	if r, ok := w.s.receipts[c.IdempotencyKey]; ok && c.IdempotencyKey != "" {
		c.Answer.Status, shown = r.status, state{version: r.version, content: r.content}
	} else {
		next, status := w.s.decide(&c)
		if next.version != w.s.version {
			c.Effect = Effect(next.version)
		}
		c.Answer.Status, shown = status, next
		w.s = next.remember(&c, status)
	}
	if shows(c.Answer.Status) {
		c.Answer.ETag, c.Answer.Body = fmt.Sprintf(`"%d-a1"`, shown.version), shown.content
	}
	if c.Outcome = Answered; lost {
		c.Outcome, c.Answer = Open, Answer{}
	}
	w.calls = append(w.calls, c)
}

// lie changes what a client was told.
func (w *world) lie() {
	c := &w.calls[w.r.IntN(len(w.calls))]
	switch w.r.IntN(3) {
	case 0:
		c.Answer.Status, c.Outcome = []int{200, 201, 204, 404, 412}[w.r.IntN(5)], Answered
	case 1:
		c.Answer.ETag = fmt.Sprintf(`"%d-a1"`, 1+w.r.IntN(5))
	default:
		later := w.r.IntN(40)
		c.Start, c.End = c.Start.Add(time.Duration(later)*100*time.Millisecond), c.End.Add(time.Duration(later)*100*time.Millisecond)
	}
}

// A history with its repetitions joined is judged as it is without.
func TestJoinedIsTheSame(t *testing.T) {
	t.Parallel()
	judged := map[Judgement]int{}
	var fewer int
	for seed := range uint64(3000) {
		w := &world{r: rand.New(rand.NewPCG(seed, 1)), s: Start{}.state(), began: time.Unix(1_800_000_000, 0)}
		w.play(7)
		if seed%2 == 1 {
			w.lie()
		}
		slices.SortStableFunc(w.calls, func(a, b Call) int { return a.Start.Compare(b.Start) })
		joined := Start{}.joined(slices.Clone(w.calls))
		want, got := Start{}.search(slices.Clone(w.calls), time.Minute), Start{}.search(joined, time.Minute)
		require.Equal(t, want.Judgement, got.Judgement, "seed %d: %s\n%s", seed, want.Reason, got.Reason)
		judged[got.Judgement]++
		if len(joined) < len(w.calls) {
			fewer++
		}
	}
	t.Log(judged, fewer)
	require.Greater(t, judged[Fine], 1500)
	require.Greater(t, judged[Broken], 300)
	require.Greater(t, fewer, 1500)
}

// Calls that were lost under keys of their own, while others went on: each could stand
// anywhere, and could have left a receipt.
func TestManyLostCalls(t *testing.T) {
	t.Parallel()
	w := &world{r: rand.New(rand.NewPCG(1, 1)), s: Start{}.state(), began: time.Unix(1_800_000_000, 0)}
	for i := range 24 {
		w.carryOut(Call{Method: http.MethodPut, Body: fmt.Sprintf(`{"displayName":"n%d"}`, i)}, 10*i+10)
		lost := Call{
			Method: http.MethodPut, Body: `{"displayName":"Zoe"}`, IfMatch: `"1-a1"`, IdempotencyKey: fmt.Sprint("lost", i),
			Start: w.at(10 * i), End: w.at(10*i + 60), Effect: NoEffect,
		}
		told := lost
		told.Outcome, told.Answer = Answered, Answer{Status: http.StatusPreconditionFailed}
		told.Start, told.End = w.at(10*i+40), w.at(10*i+90)
		w.calls = append(w.calls, lost, told)
	}
	require.Equal(t, Fine, Check(w.calls, 20*time.Second).Judgement)
	w.calls = append(w.calls, Call{
		Method: http.MethodDelete, Outcome: Answered, Answer: Answer{Status: http.StatusNotFound}, Start: w.at(400), End: w.at(401), Effect: NoEffect,
	})
	require.Equal(t, Broken, Check(w.calls, 20*time.Second).Judgement)
}
