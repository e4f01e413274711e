package minicosmos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Whatever a reader sees of a range is a prefix of its LSNs: no change is visible
// before an earlier one, though many partition keys are written at once.
func TestVisibleOrderIsLSNOrder(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	internal, bad := s.account.Container("db", "c")
	require.Nil(t, bad)
	const writers, each = 8, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("key-%d-%d", w, i)
				if _, err := c.CreateItem(context.Background(), pk(key), doc(t, m{"id": "1", "pk": key}), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for seen := 0; seen < writers*each; {
		lsns := map[uint64]bool{}
		token := internal.Layout().All[0].DurableLSN.Load()
		v := s.account.Acquire()
		err := v.Scan(document.Key(internal.Number, document.KindDocument), nil, func(_, stored []byte) (bool, error) {
			r, err := document.Decode(stored)
			lsns[r.LSN] = true
			return true, err
		})
		require.NoError(t, errors.Join(err, v.Release()))
		for lsn := range lsns {
			require.LessOrEqual(t, lsn, uint64(len(lsns)), "a gap below")
		}
		require.GreaterOrEqual(t, uint64(len(lsns))+writers, token, "a token promises at most the group being published")
		require.GreaterOrEqual(t, len(lsns), seen, "nothing disappears")
		seen = len(lsns)
		if t.Failed() {
			break
		}
	}
	wg.Wait()
}

// A batch that reads much answers 413 instead of holding it all.
func TestBatchAnswerIsBounded(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	_, err := c.CreateItem(context.Background(), pk("a"), fmt.Appendf(nil, `{"id":"1","pk":"a","d":"%01000000d"}`, 0), nil)
	require.NoError(t, err)
	r, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
		for range 5 {
			b.ReadItem("1", nil)
		}
	})
	require.NoError(t, err)
	require.Equal(t, "[424 424 424 424 413]", batchStatuses(r))
}

// TestServeAfterClose: an owner that closes server and listener while Serve is about to
// begin has done nothing wrong.
func TestServeAfterClose(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, l.Close())
	require.NoError(t, s.Serve(l))
}

func TestRequestsAfterClose(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 1, "a")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is fine")
	require.Nil(t, s.Documents("db", "c"))
	require.ErrorIs(t, s.Check(), refusal.Closed)
	require.Equal(t, 503, serve(s.Server, signed(t, "GET", "/dbs", "dbs", "", nil, time.Now())).Code)
}
