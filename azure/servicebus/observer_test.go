package servicebus

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relaybox/relaybox/outbox"
	"github.com/stretchr/testify/require"
)

// TestEverySendIsTold: with what was in it, how long it took and what became of it; what never
// left is not told of.
func TestEverySendIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []Sent
		b := &memBroker{batchMax: 7, refuse: func(names []string) error { // three events
			time.Sleep(time.Second)
			if slices.Contains(names, "d1") {
				return io.ErrUnexpectedEOF
			}
			return nil
		}}
		p := over(t, b, PublisherOptions{Observer: func(s Sent) { told = append(told, s) }})
		require.NoError(t, errors.Join(p.Publish(t.Context(), events("a1 b1 c1 a2"))...))
		require.Error(t, errors.Join(p.Publish(t.Context(), events("d1"))...))
		b.attachErr = errors.New("away")
		require.Error(t, errors.Join(p.Publish(t.Context(), events("e1"))...))
		var sizes []int
		for _, s := range told {
			require.Equal(t, "topic", s.Topic)
			require.Equal(t, time.Second, s.Took)
			require.False(t, s.Began.IsZero())
			sizes = append(sizes, len(s.Events))
		}
		require.Equal(t, []int{3, 1}, sizes[:2])
		require.NoError(t, told[1].Err)
		require.ErrorIs(t, told[2].Err, io.ErrUnexpectedEOF)
		require.NotEqual(t, outbox.Unclassified, outbox.ClassOf(told[2].Err))
	})
}
