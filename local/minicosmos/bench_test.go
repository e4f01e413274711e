package minicosmos

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// The benchmarks run 16 goroutines with one azcosmos client against a server on disk, in
// the same process: go test -bench . -benchtime 3s -run '^$' ./local/minicosmos
func benchmark(b *testing.B, op func(c *azcosmos.ContainerClient, i int64) error) {
	benchmarkOf(b, outboxLike("c"), op)
}

func benchmarkOf(b *testing.B, properties azcosmos.ContainerProperties, op func(c *azcosmos.ContainerClient, i int64) error) {
	dir := b.TempDir()
	_, c := startContainer(b, properties, func(o *Options) { o.Dir = dir })
	fill(b, c, 100, "read")
	var n atomic.Int64
	b.SetParallelism(8) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := op(c, n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

var padding = strings.Repeat("x", 900)

func body(id string, i int64, pending string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"pk":"key-%d","seq":%d%s,"data":%q}`, id, i%1000, i, pending, padding)
}

func BenchmarkCreate(b *testing.B) {
	benchmark(b, func(c *azcosmos.ContainerClient, i int64) error {
		_, err := c.CreateItem(context.Background(), pk(fmt.Sprintf("key-%d", i%1000)), body(fmt.Sprint(i), i, ""), nil)
		return err
	})
}

func BenchmarkBatch(b *testing.B) {
	benchmark(b, func(c *azcosmos.ContainerClient, i int64) error {
		batch := c.NewTransactionalBatch(pk(fmt.Sprintf("key-%d", i%1000)))
		batch.UpsertItem(body("entity", i, ""), nil)
		batch.CreateItem(body(fmt.Sprint("ob-", i), i, `,"pending":true`), nil)
		r, err := c.ExecuteTransactionalBatch(context.Background(), batch, nil)
		if err == nil && !r.Success {
			return fmt.Errorf("rolled back: %s", batchStatuses(r))
		}
		return err
	})
}

func BenchmarkRead(b *testing.B) {
	benchmark(b, func(c *azcosmos.ContainerClient, i int64) error {
		_, err := c.ReadItem(context.Background(), pk("read"), fmt.Sprintf("%03d", i%100), nil)
		return err
	})
}

// BenchmarkMarker finds 10 pending documents among 20,000.
func BenchmarkMarker(b *testing.B) {
	_, c := startContainer(b, outboxLike("c"))
	for i := range 20000 / 100 {
		r, err := run(c, fmt.Sprint(i), nil, func(batch *azcosmos.TransactionalBatch) {
			for j := range 100 {
				batch.CreateItem(doc(b, m{"id": fmt.Sprint(j), "pk": fmt.Sprint(i)}), nil)
			}
		})
		require.NoError(b, err)
		require.True(b, r.Success)
	}
	for i := range 10 {
		_, err := c.CreateItem(context.Background(), pk(fmt.Sprint(i)), doc(b, m{"id": "p", "pk": fmt.Sprint(i), "pending": true}), nil)
		require.NoError(b, err)
	}
	for b.Loop() {
		found, err := query(b, c, "SELECT c.id, c.pk FROM c WHERE c.pending = true", everywhere, nil)
		require.NoError(b, err)
		require.Len(b, found, 10)
	}
}
