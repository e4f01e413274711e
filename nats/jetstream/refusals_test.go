package jetstream

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnOutageIsNoRefusal: however many deliveries it took, a message must be refused as often as one
// that came without it.
func TestAnOutageIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	var mu sync.Mutex
	var counts []int
	h := hand{answer: func(_ context.Context, m Message) error {
		mu.Lock()
		counts = append(counts, m.Counted)
		mu.Unlock()
		if m.Delivery < 3 {
			return errors.New("the store is away")
		}
		return &Refused{Reason: "unknown-event", Err: errors.New("an old instance")}
	}}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 3})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.Equal(t, "a1/1 a1/2 a1/3 a1/4 a1/5", h.taken())
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []int{1, 1, 1, 2, 5}, counts)
	letter, err := b.letters(t).GetLastMsgForSubject(t.Context(), "dead-letters.read-models.events.%%.a")
	require.NoError(t, err)
	require.Equal(t, "5", letter.Header.Get(HeaderDeliveries))
}

func TestCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ delivery, refused, most, want int }{
		{1, 0, 100, 1}, {9, 8, 100, 9}, {10, 9, 100, 10}, {100, 99, 100, 100}, // nothing but refusals
		{300, 0, 100, 1}, {308, 8, 100, 9}, {309, 9, 100, 309}, // behind an outage
		{100, 9, 100, 100}, {100, 8, 100, 9}, // others have refused it, too
		{1, 0, 1, 1}, {50, 0, 1, 50}, {2, 0, 2, 1}, {2, 1, 2, 2},
		{1, 5, 100, 1}, // a consumer that was made anew counts anew
	} {
		require.Equal(t, c.want, counted(c.delivery, c.refused, c.most), "%+v", c)
	}
}

// TestRefusalsAreBounded: what is refused now is kept, what was not for the longest is forgotten.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	var r refusals
	require.Zero(t, r.of(1))
	for n := range uint64(5 * maxRefused) {
		r.add(n + 10)
		r.add(1)
		require.LessOrEqual(t, len(r.now)+len(r.old), 2*maxRefused)
	}
	require.Equal(t, 5*maxRefused, r.of(1))
	require.Equal(t, 1, r.of(5*maxRefused))
	require.Zero(t, r.of(10))
	r.forget(1)
	require.Zero(t, r.of(1))
}
