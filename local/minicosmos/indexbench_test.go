//go:build unix

package minicosmos

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

// narrowAndWild are the policies that writes are measured under: named paths as an outbox has them, and the service's default.
var narrowAndWild = map[string]azcosmos.ContainerProperties{
	"named":   outboxLike("c"),
	"none":    {ID: "c", PartitionKeyDefinition: outboxLike("").PartitionKeyDefinition, IndexingPolicy: &azcosmos.IndexingPolicy{ExcludedPaths: []azcosmos.ExcludedPath{{Path: "/*"}}}},
	"default": {ID: "c", PartitionKeyDefinition: outboxLike("").PartitionKeyDefinition},
}

// order is a document of about 500 bytes with 15 paths.
func order(id string, n int64) []byte { return orderOf(id, fmt.Sprintf("key-%d", n%1000), n) }

func orderOf(id, key string, n int64) []byte {
	return fmt.Appendf(nil, `{"id":%q,"pk":%q,"number":%d,"email":"customer-%d@example.com","status":%q,"region":%q,"total":%d.25,"created":"2026-11-%02dT10:%02d:00Z",`+
		`"tags":["t%d","new"],"address":{"street":"Long Street %d","city":%q,"zip":"%05d"},`+
		`"note":"Please ring twice, the bell is broken and the dog is not; leave it with the neighbours otherwise, who are always at home in the afternoon.","paid":%t}`,
		id, key, n, n, []string{"open", "sent", "done"}[n%3], []string{"eu", "us", "apac"}[n%7%3], n*7919%100000, 1+n%28, n%60, n/10, n%977, []string{"Bonn", "Kiel", "Ulm", "Jena"}[n%4], n%99999, n%2 == 0)
}

// BenchmarkIndexedWrite is what a policy costs: the same writes under each.
//
//	go test -run '^$' -bench IndexedWrite -benchtime 30000x ./local/minicosmos
func BenchmarkIndexedWrite(b *testing.B) {
	for _, policy := range []string{"none", "named", "default"} {
		for _, kind := range []struct {
			name string
			op   func(c *azcosmos.ContainerClient, i int64) error
		}{
			{"create", func(c *azcosmos.ContainerClient, i int64) error {
				_, err := c.CreateItem(context.Background(), pk(fmt.Sprintf("key-%d", i%1000)), order(fmt.Sprint(i), i), nil)
				return err
			}},
			{"replace", func(c *azcosmos.ContainerClient, i int64) error {
				_, err := c.UpsertItem(context.Background(), pk(fmt.Sprintf("key-%d", i%1000)), order("it", i), nil)
				return err
			}},
			{"batch", func(c *azcosmos.ContainerClient, i int64) error {
				r, err := run(c, fmt.Sprintf("key-%d", i%1000), nil, func(batch *azcosmos.TransactionalBatch) {
					for j := range 20 {
						batch.UpsertItem(order(fmt.Sprint(i, "-", j), i), nil)
					}
				})
				if err == nil && !r.Success {
					return fmt.Errorf("rolled back: %s", batchStatuses(r))
				}
				return err
			}},
			{"delete", func(c *azcosmos.ContainerClient, i int64) error {
				key, id := fmt.Sprintf("key-%d", i%1000), fmt.Sprint("d", i)
				if _, err := c.CreateItem(context.Background(), pk(key), order(id, i), nil); err != nil {
					return err
				}
				_, err := c.DeleteItem(context.Background(), pk(key), id, nil)
				return err
			}},
		} {
			b.Run(kind.name+"/"+policy, func(b *testing.B) {
				b.ReportAllocs()
				began := processor(b)
				benchmarkOf(b, narrowAndWild[policy], kind.op)
				b.ReportMetric((processor(b)-began)/float64(b.N)*1e6, "cpu-µs/op")
			})
		}
	}
}

// processor is the time in seconds that this process has had, which a busy machine leaves alone.
func processor(b *testing.B) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Sec+used.Stime.Sec) + float64(used.Utime.Usec+used.Stime.Usec)/1e6
}
