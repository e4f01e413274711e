package minicosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// run sends a batch; a refusal of the whole request is a Go error.
func run(c *azcosmos.ContainerClient, key string, o *azcosmos.TransactionalBatchOptions, build func(*azcosmos.TransactionalBatch)) (azcosmos.TransactionalBatchResponse, error) {
	b := c.NewTransactionalBatch(pk(key))
	build(&b)
	return c.ExecuteTransactionalBatch(context.Background(), b, o)
}

func TestBatchOfEveryOperation(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 4, "a")
	var p azcosmos.PatchOperations
	p.SetCondition("from c where c.pending = true")
	p.AppendRemove("/pending")
	p.AppendSet("/ttl", 600)
	r, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
		b.CreateItem(doc(t, m{"id": "new", "pk": "a"}), nil)
		b.UpsertItem(doc(t, m{"id": "up", "pk": "a"}), nil)
		b.ReplaceItem("001", doc(t, m{"id": "001", "pk": "a", "n": 1}), nil)
		b.DeleteItem("002", nil)
		b.PatchItem("003", p, nil)
	})
	require.NoError(t, err)
	require.True(t, r.Success)
	require.Equal(t, "[201 201 200 204 200]", batchStatuses(r))
	for i, o := range r.OperationResults {
		require.Positive(t, o.RequestCharge)
		require.Equal(t, i == 3, o.ETag == "", "only a deletion has no eTag")
		require.Nil(t, o.ResourceBody, "return=minimal")
	}
	require.Positive(t, r.RequestCharge)
	require.NotEmpty(t, r.SessionToken)

	r, err = run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
		b.CreateItem(doc(t, m{"id": "seen", "pk": "a"}), nil)
		b.ReadItem("seen", nil)
		b.DeleteItem("seen", nil)
	})
	require.NoError(t, err)
	require.Equal(t, "[201 200 204]", batchStatuses(r), "a batch sees its own writes")
	var seen m
	require.NoError(t, json.Unmarshal(r.OperationResults[1].ResourceBody, &seen))
	require.Equal(t, "seen", seen["id"])
	require.Len(t, s.Documents("db", "c"), 5)

	r, err = run(c, "a", &azcosmos.TransactionalBatchOptions{EnableContentResponseOnWrite: true}, func(b *azcosmos.TransactionalBatch) {
		b.CreateItem(doc(t, m{"id": "full", "pk": "a"}), nil)
	})
	require.NoError(t, err)
	require.Contains(t, string(r.OperationResults[0].ResourceBody), `"_etag"`)
}

func TestFailedBatchStoresNothing(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 2, "a")
	before := s.Documents("db", "c")
	stale := azcore.ETag(`"stale"`)
	var p azcosmos.PatchOperations
	p.SetCondition("from c where c.pending = true")
	p.AppendRemove("/pending")
	create := func(b *azcosmos.TransactionalBatch, id string) { b.CreateItem(doc(t, m{"id": id, "pk": "a"}), nil) }
	for want, build := range map[string]func(*azcosmos.TransactionalBatch){
		"[424 409 424]": func(b *azcosmos.TransactionalBatch) { create(b, "x"); create(b, "001"); create(b, "y") },
		"[424 409]":     func(b *azcosmos.TransactionalBatch) { create(b, "x"); create(b, "x") },
		"[412 424]": func(b *azcosmos.TransactionalBatch) {
			b.ReplaceItem("000", doc(t, m{"id": "000", "pk": "a"}), &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &stale})
			create(b, "x")
		},
		"[424 404]": func(b *azcosmos.TransactionalBatch) { create(b, "x"); b.DeleteItem("none", nil) },
		"[424 412]": func(b *azcosmos.TransactionalBatch) { create(b, "x"); b.PatchItem("001", p, nil) },
		"[424 400]": func(b *azcosmos.TransactionalBatch) {
			create(b, "x")
			b.CreateItem(doc(t, m{"id": "y", "pk": "other"}), nil)
		},
		"[424 424 404]": func(b *azcosmos.TransactionalBatch) {
			b.DeleteItem("000", nil)
			create(b, "000")
			b.ReadItem("none", nil)
		},
	} {
		r, err := run(c, "a", nil, build)
		require.NoError(t, err, "a batch that was rolled back is no Go error")
		require.False(t, r.Success)
		require.Equal(t, http.StatusMultiStatus, r.RawResponse.StatusCode)
		require.Equal(t, want, batchStatuses(r))
		require.Equal(t, before, s.Documents("db", "c"), want)
	}
}

func TestBatchLimits(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	many := func(n, size int) (azcosmos.TransactionalBatchResponse, error) {
		return run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
			for i := range n {
				b.CreateItem(doc(t, m{"id": fmt.Sprint(i), "pk": "a", "d": strings.Repeat("x", size)}), nil)
			}
		})
	}
	_, err := many(101, 1)
	require.Equal(t, http.StatusBadRequest, status(t, err))
	require.Contains(t, err.Error(), "more operations than what is supported")
	_, err = many(3, 700<<10)
	require.Equal(t, http.StatusRequestEntityTooLarge, status(t, err))
	require.Empty(t, s.Documents("db", "c"))
	r, err := many(100, 10<<10)
	require.NoError(t, err)
	require.True(t, r.Success)
	require.Len(t, s.Documents("db", "c"), 100)
}

// Sixteen writers race with one ETag, again and again: one wins, the others get 412,
// and the entity and the event beside it always agree.
func TestExactlyOneWinner(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	ctx := context.Background()
	created, err := c.CreateItem(ctx, pk("a"), doc(t, m{"id": "entity", "pk": "a", "round": -1}), nil)
	require.NoError(t, err)
	etag := created.ETag
	const rounds, writers = 30, 16
	for round := range rounds {
		var won, lost atomic.Int32
		var next atomic.Value
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				r, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
					b.ReplaceItem("entity", doc(t, m{"id": "entity", "pk": "a", "round": round, "by": w}), &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &etag})
					b.CreateItem(doc(t, m{"id": fmt.Sprintf("ob-%d-%d", round, w), "pk": "a", "seq": round, "pending": true}), nil)
				})
				switch {
				case err == nil && r.Success:
					won.Add(1)
					next.Store(r.OperationResults[0].ETag)
				case err == nil && batchStatuses(r) == "[412 424]":
					lost.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, writers-1, lost.Load())
		etag = next.Load().(azcore.ETag)
	}
	require.Len(t, s.Documents("db", "c"), rounds+1)
	seqs, err := query(t, c, "SELECT VALUE c.seq FROM c WHERE c.pending = true ORDER BY c.seq", pk("a"), nil)
	require.NoError(t, err)
	for i, seq := range seqs {
		require.Equal(t, fmt.Sprint(i), seq)
	}
}

// A reader never sees half of a batch: two documents that are always written together
// always carry the same number.
func TestBatchAppearsAtOnce(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		for i := range 300 {
			_, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
				b.UpsertItem(doc(t, m{"id": "left", "pk": "a", "seq": i, "pending": true}), nil)
				b.UpsertItem(doc(t, m{"id": "right", "pk": "a", "seq": i, "pending": true}), nil)
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for {
		select {
		case <-stop:
			wg.Wait()
			return
		default:
		}
		got, err := query(t, c, "SELECT VALUE c.seq FROM c WHERE c.pending = true", everywhere, nil)
		require.NoError(t, err)
		if len(got) > 0 {
			require.Len(t, got, 2)
			require.Equal(t, got[0], got[1])
		}
	}
}
