package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// followed is a Tracer that writes down what it is told.
type followed struct{ lines []string }

type followedKey struct{}

func (f *followed) Reads(ctx context.Context, e *inbox.Event) context.Context {
	return context.WithValue(ctx, followedKey{}, fmt.Sprint("for ", e.Seq))
}

func (f *followed) Applies(ctx context.Context, applied, early []*inbox.Event) (context.Context, func(bool)) {
	line := fmt.Sprintf("applied %v early %v", seqs(applied), seqs(early))
	return context.WithValue(ctx, followedKey{}, line), func(done bool) {
		if !done {
			line += " not done"
		}
		f.lines = append(f.lines, line)
	}
}

func seqs(events []*inbox.Event) (all []int64) {
	for _, e := range events {
		all = append(all, e.Seq)
	}
	return all
}

// TestATracerFollowsEventsIntoTheStore: reads are for the sake of an event in hand, and each
// write names those whose effect it is, also those that were stored before.
func TestATracerFollowsEventsIntoTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		refused := false
		s := &inboxtest.MemStore{Before: func(ctx context.Context, op string) error {
			calls = append(calls, fmt.Sprint(op, " ", ctx.Value(followedKey{})))
			if strings.HasPrefix(op, "commit") && refused {
				refused = false
				return &inbox.Transient{Op: "commit", Err: errors.New("away")}
			}
			return nil
		}}
		f := &followed{}
		in := inbox.New(s, list, inbox.Options{Tracer: f, CacheBytes: -1, Wait: time.Millisecond})
		refused = true
		apart(t, in, one(1), inbox.Applied)
		apart(t, in, one(3), inbox.Stored)
		apart(t, in, one(2), inbox.Applied)
		apart(t, in, one(2), inbox.Duplicate)
		require.Equal(t, []string{
			"applied [1] early [] not done", "applied [1] early []", "applied [] early [3]", "applied [3 2] early []",
		}, f.lines, "a copy writes nothing")
		for _, c := range calls {
			require.NotContains(t, c, "<nil>")
		}
		require.Contains(t, calls, "load for 2")
	})
}
