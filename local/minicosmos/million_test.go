package minicosmos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// The speed of a store that has a million documents against that of one that has few, in one run:
//
//	go test -run '^$' -bench Million -benchtime 1x -timeout 30m ./local/minicosmos
//
// 16 goroutines with one azcosmos client, the server on disk in the same process, documents of 1 KB.
const (
	manyDocuments = 1_000_000
	measured      = 20_000 // operations of each kind
)

func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		few := rates(b, b.TempDir(), 0)
		dir := b.TempDir()
		many := rates(b, dir, manyDocuments)
		for _, kind := range []string{"create", "batch", "read"} {
			b.ReportMetric(few[kind], "few-"+kind+"/s")
			b.ReportMetric(many[kind], "many-"+kind+"/s")
			b.ReportMetric(many[kind]/few[kind], kind+"-ratio")
		}
		began := time.Now()
		s, err := Open(Options{Dir: dir})
		require.NoError(b, err)
		b.ReportMetric(time.Since(began).Seconds(), "reopen-s")
		began = time.Now()
		require.NoError(b, s.Close())
		b.ReportMetric(time.Since(began).Seconds(), "close-s")
	}
	b.ReportMetric(0, "ns/op")
}

// rates fills a store, lets it come to rest, and measures.
func rates(b *testing.B, dir string, documents int) map[string]float64 {
	s, c := startContainer(b, outboxLike("c"), func(o *Options) { o.Dir = dir })
	preload(b, s, c, documents)
	fill(b, c, 100, "read")
	for i := range 10 {
		key := fmt.Sprintf("key-%d", i)
		_, err := c.CreateItem(context.Background(), pk(key), doc(b, m{"id": "marked", "pk": key, "parked": true}), nil)
		require.NoError(b, err)
	}
	found, looked := marked(b, c)
	require.Equal(b, 10, found)
	require.Equal(b, 10, looked, "documents looked at for the marker")

	result := map[string]float64{}
	for _, kind := range []struct {
		name string
		op   func(i int) error
	}{
		{"create", func(i int) error {
			_, err := c.CreateItem(context.Background(), pk(fmt.Sprintf("key-%d", i%1000)), body(fmt.Sprint("c", i), int64(i), ""), nil)
			return err
		}},
		{"batch", func(i int) error {
			r, err := run(c, fmt.Sprintf("key-%d", i%1000), nil, func(batch *azcosmos.TransactionalBatch) {
				batch.UpsertItem(body("entity", int64(i), ""), nil)
				batch.CreateItem(body(fmt.Sprint("ob-", i), int64(i), `,"pending":true`), nil)
			})
			if err == nil && !r.Success {
				return fmt.Errorf("rolled back: %s", batchStatuses(r))
			}
			return err
		}},
		{"read", func(i int) error {
			_, err := c.ReadItem(context.Background(), pk("read"), fmt.Sprintf("%03d", i%100), nil)
			return err
		}},
	} {
		began := time.Now()
		together(b, measured, kind.op)
		result[kind.name] = measured / time.Since(began).Seconds()
	}
	require.NoError(b, s.Close())
	return result
}

// together runs n operations on 16 goroutines.
func together(b *testing.B, n int, op func(i int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := op(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// preload stores documents of 1 KB in batches of 100.
func preload(b *testing.B, s *Instance, c *azcosmos.ContainerClient, n int) {
	together(b, n/100, func(i int) error {
		key := fmt.Sprintf("key-%d", i%1000)
		r, err := run(c, key, nil, func(batch *azcosmos.TransactionalBatch) {
			for j := range 100 {
				batch.CreateItem(fmt.Appendf(nil, `{"id":"p%d-%d","pk":%q,"seq":%d,"data":%q}`, i, j, key, j, padding), nil)
			}
		})
		if err == nil && !r.Success {
			return fmt.Errorf("rolled back: %s", batchStatuses(r))
		}
		return err
	})
	if n > 0 {
		settle(s)
		b.Logf("%d documents are stored, %d MB resident", n, residentMB(b))
	}
}

// settle waits until the store has put away what it was given.
func settle(s *Instance) {
	for quiet := 0; quiet < 10; quiet++ {
		if s.account.Busy() {
			quiet = 0
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// marked finds what is marked across all partitions; looked is how many documents were looked at.
func marked(b *testing.B, c *azcosmos.ContainerClient) (found, looked int) {
	pager := c.NewQueryItemsPager("SELECT c.id FROM c WHERE c.parked = true", everywhere, &azcosmos.QueryOptions{})
	for pager.More() {
		page, err := pager.NextPage(context.Background())
		require.NoError(b, err)
		found += len(page.Items)
		var n int
		for part := range strings.SplitSeq(*page.QueryMetrics, ";") {
			if _, err := fmt.Sscanf(part, "retrievedDocumentCount=%d", &n); err == nil {
				looked += n
			}
		}
	}
	return found, looked
}

// residentMB is the memory of this process, client and server; 0 where there is no /proc.
func residentMB(b *testing.B) (mb int) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int
	_, err = fmt.Sscan(string(text), &size, &resident)
	require.NoError(b, err)
	return resident * os.Getpagesize() >> 20
}
