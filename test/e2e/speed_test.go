package e2e_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// BenchmarkWrites is the rate of acknowledged writes through the host by 16 clients, with
// the store and the bus on disk and the events of the writes on their way meanwhile.
func BenchmarkWrites(b *testing.B) { benchmarkWrites(b, 16, 100) }

// BenchmarkOneKey is the same by 32 clients who all write to one entity.
func BenchmarkOneKey(b *testing.B) { benchmarkWrites(b, 32, 1) }

func benchmarkWrites(b *testing.B, clients int, keys int64) {
	s := stack.RunT(b, func(c *stack.Config) { c.App, c.Data, c.HandlerOutput = assembled, b.TempDir(), nil })
	sys := &system{Stack: s, t: b, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
	sys.put("warm", "Warm")
	var next, refused atomic.Int64
	took := make([][]time.Duration, clients)
	b.ResetTimer()
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				began := time.Now()
				got, err := sys.call(http.MethodPut, fmt.Sprintf("p-%d", n%keys), fmt.Sprintf(`{"displayName":"n%d"}`, n))
				if err != nil || got.status >= 300 {
					refused.Add(1)
					b.Errorf("write %d: %d %v", n, got.status, err)
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	flat := slices.Concat(took...)
	slices.Sort(flat)
	require.NotEmpty(b, flat)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(float64(flat[len(flat)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(flat[len(flat)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(refused.Load()), "refused")
}

// BenchmarkReads is the rate of reads through the host by 16 clients, of 1,000 profiles: from the store,
// and as they may be a minute old from the handler's memory and from a Redis, which REDIS_URL names.
func BenchmarkReads(b *testing.B) {
	const clients, keys = 16, 1000
	for _, from := range []string{"store", "memory", "redis"} {
		b.Run(from, func(b *testing.B) {
			s := stack.RunT(b, func(c *stack.Config) {
				c.App, c.Data, c.HandlerOutput = assembled, b.TempDir(), nil
				if from == "redis" {
					c.Settings = map[string]string{"REDIS_CONNECTION": cmp.Or(os.Getenv("REDIS_URL"), "redis://"+miniredis.RunT(b).Addr())}
				}
			})
			sys := &system{Stack: s, t: b, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
			read := func(n int64) (hit bool) {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprintf("%s/api/profiles/p-%d", s.HostURL, n%keys), nil)
				require.NoError(b, err)
				if from != "store" {
					r.Header.Set("Cache-Control", "max-age=60")
				}
				w, err := sys.http.Do(r)
				if err != nil {
					b.Error(err)
					return false
				}
				_, _ = io.Copy(io.Discard, w.Body)
				_ = w.Body.Close()
				if w.StatusCode != 200 {
					b.Errorf("read %d: %d", n, w.StatusCode)
				}
				return w.Header.Get("X-Cache") == "HIT"
			}
			var all sync.WaitGroup
			for c := range clients {
				all.Go(func() {
					for n := c; n < keys; n += clients {
						sys.put(fmt.Sprintf("p-%d", n), "Ada")
						read(int64(n))
					}
				})
			}
			all.Wait()
			var next, hits atomic.Int64
			took := make([][]time.Duration, clients)
			b.ResetTimer()
			for c := range clients {
				all.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						began := time.Now()
						if read(n) {
							hits.Add(1)
						}
						took[c] = append(took[c], time.Since(began))
					}
				})
			}
			all.Wait()
			b.StopTimer()
			flat := slices.Concat(took...)
			slices.Sort(flat)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
			b.ReportMetric(float64(flat[len(flat)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(flat[len(flat)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(hits.Load())/float64(b.N), "hits")
		})
	}
}
