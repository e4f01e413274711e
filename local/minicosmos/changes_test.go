package minicosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// follower reads a change feed to its end, page by page.
type follower struct {
	c      *azcosmos.ContainerClient
	o      azcosmos.ChangeFeedOptions
	ranges int // physical ranges that may be empty in a row
}

type change struct {
	ID, PK string
	N      int
	LSN    uint64 `json:"_lsn"`
}

// page reads one page; nothing comes of a range that has nothing.
func (f *follower) page(t testing.TB) []change {
	t.Helper()
	if f.o.Continuation == nil {
		f.o.FeedRange = &azcosmos.FeedRange{MaxExclusive: "FF"}
	} else {
		f.o.FeedRange = nil
	}
	r, err := f.c.ReadChangeFeed(context.Background(), &f.o)
	require.NoError(t, err)
	if r.ContinuationToken != "" {
		f.o.Continuation = &r.ContinuationToken
	}
	list := make([]change, len(r.Items))
	for i, text := range r.Items {
		require.NoError(t, json.Unmarshal(text, &list[i]), string(text))
	}
	return list
}

func (f *follower) drain(t testing.TB) (all []change) {
	t.Helper()
	for empty := 0; empty <= f.ranges; {
		page := f.page(t)
		if all = append(all, page...); len(page) == 0 {
			empty++
		} else {
			empty = 0
		}
	}
	return all
}

func ids(list []change) string {
	var names []string
	for _, c := range list {
		names = append(names, c.ID)
	}
	return strings.Join(names, " ")
}

func put(t testing.TB, c *azcosmos.ContainerClient, key, id string, n int) {
	t.Helper()
	_, err := c.UpsertItem(context.Background(), pk(key), doc(t, m{"id": id, "pk": key, "n": n}), nil)
	require.NoError(t, err)
}

// The feed has each document at its last change, and nothing of what is deleted.
func TestChangeFeed(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	f := follower{c: c}
	require.Empty(t, f.drain(t))
	for i, id := range []string{"1", "2", "3"} {
		put(t, c, "a", id, i)
	}
	put(t, c, "b", "4", 0)
	require.Equal(t, "1 2 3 4", ids(f.drain(t)))
	require.Empty(t, f.drain(t), "it was read")

	put(t, c, "a", "1", 9)
	_, err := c.DeleteItem(context.Background(), pk("a"), "2", nil)
	require.NoError(t, err)
	again := f.drain(t)
	require.Equal(t, "1", ids(again))
	require.Equal(t, 9, again[0].N)
	require.EqualValues(t, 5, again[0].LSN)
	all := (&follower{c: c}).drain(t)
	require.Equal(t, "3 4 1", ids(all))
	require.True(t, slices.IsSortedFunc(all, func(a, b change) int { return int(a.LSN) - int(b.LSN) }))

	key := pk("b")
	require.Equal(t, "4", ids((&follower{c: c, o: azcosmos.ChangeFeedOptions{PartitionKey: &key}}).drain(t)))
	soon, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	require.Empty(t, (&follower{c: c, o: azcosmos.ChangeFeedOptions{StartFrom: &soon}}).drain(t))
	require.Equal(t, "3 4 1", ids((&follower{c: c, o: azcosmos.ChangeFeedOptions{StartFrom: &before}}).drain(t)))
}

// A page has as many documents as asked for, or a whole transaction.
func TestChangeFeedPages(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	for i := range 3 {
		put(t, c, "a", fmt.Sprint("s", i), 0)
	}
	batch(t, c, "a", "b0", "b1", "b2", "b3", "b4")
	put(t, c, "a", "last", 0)
	f := follower{c: c, o: azcosmos.ChangeFeedOptions{MaxItemCount: 2}}
	var pages []string
	for page := f.page(t); len(page) > 0; page = f.page(t) {
		pages = append(pages, ids(page))
	}
	require.Equal(t, []string{"s0 s1", "s2 b0 b1 b2 b3 b4", "last"}, pages)
}

func batch(t testing.TB, c *azcosmos.ContainerClient, key string, names ...string) {
	t.Helper()
	r, err := run(c, key, nil, func(b *azcosmos.TransactionalBatch) {
		for _, id := range names {
			b.UpsertItem(doc(t, m{"id": id, "pk": key}), nil)
		}
	})
	require.NoError(t, err)
	require.True(t, r.Success)
}

// What has expired is not in the feed.
func TestChangeFeedWithoutExpired(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": "1", "pk": "a", "ttl": 1}), nil)
	require.NoError(t, err)
	put(t, c, "a", "2", 0)
	require.Eventually(t, func() bool { return ids((&follower{c: c}).drain(t)) == "2" }, time.Minute, 50*time.Millisecond)
}

// Shuffle mixes a transaction, not the transactions.
func TestShuffledFeed(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	names := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
	batch(t, c, "a", names...)
	batch(t, c, "b", names...)
	require.NoError(t, s.Inject(Fault{Do: Shuffle}))
	all := (&follower{c: c}).drain(t)
	require.Len(t, all, 16)
	for i, key := range []string{"a", "b"} {
		part := all[8*i : 8*i+8]
		require.NotEqual(t, strings.Join(names, " "), ids(part))
		for _, one := range part {
			require.Equal(t, key, one.PK)
		}
	}
	s.ClearFaults()
	require.Equal(t, strings.Join(slices.Concat(names, names), " "), ids((&follower{c: c}).drain(t)))
}

// Ranges are split again and again while one writes and another follows the feed: nothing is missed, each key's changes
// come in order, and all of it is there after the store was opened again.
func TestSplitUnderAFeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Dir, o.Ranges = dir, 2 })
	const keys, rounds = 20, 30
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 1; n <= rounds; n++ {
			for k := range keys {
				key := fmt.Sprint("key-", k)
				if _, err := c.UpsertItem(context.Background(), pk(key), doc(t, m{"id": "1", "pk": key, "n": n}), nil); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	done := make(chan struct{})
	go func() { writer.Wait(); close(done) }()
	f := follower{c: c, ranges: 8, o: azcosmos.ChangeFeedOptions{MaxItemCount: 7}}
	last := map[string]int{}
	follow := func(list []change) {
		for _, one := range list {
			require.Greater(t, one.N, last[one.PK], one.PK)
			last[one.PK] = one.N
		}
	}
	for splits, over := 0, false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		follow(f.page(t))
		if splits < 4 {
			internal, _ := s.account.Container("db", "c")
			require.NoError(t, s.Split("db", "c", internal.Layout().Live[splits].ID))
			splits++
		}
	}
	follow(f.drain(t))
	require.Len(t, last, keys)
	for key, n := range last {
		require.Equal(t, rounds, n, key)
	}
	ranges, err := c.ReadFeedRanges(context.Background(), nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(ranges), 6)
	for _, fail := range []error{s.Split("db", "c", 0), s.Split("db", "c", 99), s.Split("db", "none", 0)} {
		require.ErrorIs(t, fail, ErrSplit)
	}
	require.NoError(t, s.Check())
	require.NoError(t, s.Close())

	reopened := RunT(t, func(o *Options) { o.Dir = dir })
	again, err := connect(t, reopened.ConnectionString()).NewContainer("db", "c")
	require.NoError(t, err)
	require.Len(t, (&follower{c: again, ranges: 8}).drain(t), keys)
	list, err := query(t, again, "SELECT VALUE c.pk FROM c", everywhere, nil)
	require.NoError(t, err)
	require.Len(t, list, keys)
	put(t, again, "key-1", "1", rounds+1)
}

// Every kind of key has its range halved, down to nothing left to halve.
func TestSplitOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, definition := range []azcosmos.PartitionKeyDefinition{
		{Kind: azcosmos.PartitionKeyKindHash, Paths: []string{"/pk"}, Version: 2},
		{Kind: azcosmos.PartitionKeyKindHash, Paths: []string{"/pk"}, Version: 1},
		{Kind: azcosmos.PartitionKeyKindMultiHash, Paths: []string{"/pk", "/n"}, Version: 2},
	} {
		s, c := startContainer(t, azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: definition})
		for i := range 40 {
			key := fmt.Sprint("key-", i)
			full := pk(key)
			if definition.Kind == azcosmos.PartitionKeyKindMultiHash {
				full = full.AppendNumber(7)
			}
			_, err := c.CreateItem(context.Background(), full, doc(t, m{"id": "1", "pk": key, "n": 7}), nil)
			require.NoError(t, err)
		}
		for id := range 7 {
			require.NoError(t, s.Split("db", "c", id))
		}
		internal, _ := s.account.Container("db", "c")
		filled := 0
		for _, p := range internal.Layout().Live {
			r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", strings.NewReader(`{"query":"SELECT VALUE c.id FROM c"}`), time.Now())
			r.Header.Set("x-ms-documentdb-query", "True")
			r.Header.Set("x-ms-documentdb-partitionkeyrangeid", fmt.Sprint(p.ID))
			w := serve(s.Server, r)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			filled += strings.Count(w.Body.String(), `"1"`)
		}
		require.Equal(t, 40, filled, "each document is in one range")
		require.Len(t, internal.Layout().Live, 8)
		require.NoError(t, s.Check())
	}
}

// A range that was split is gone for whoever names it; SDKs find its children.
func TestSplitFault(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	f := follower{c: c, ranges: 2}
	require.Equal(t, "1", ids(f.drain(t)))
	put(t, c, "b", "2", 0)
	require.NoError(t, s.Inject(Fault{Do: Split, On: OpFeed, Times: 1}))
	require.Equal(t, "2", ids(f.drain(t)))
	require.Equal(t, 1, s.Faults()[0].Fired)
	ranges, err := c.ReadFeedRanges(context.Background(), nil)
	require.NoError(t, err)
	require.Len(t, ranges, 2)
}
