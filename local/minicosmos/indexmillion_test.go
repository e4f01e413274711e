//go:build unix

package minicosmos

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// BenchmarkIndexedQuery asks a store of a million documents (or INDEXED_DOCUMENTS) under the default policy and one
// composite index, a page a request, and prints milliseconds, request units and documents looked at:
//
//	go test -run '^$' -bench IndexedQuery -benchtime 20x -timeout 30m ./local/minicosmos
func BenchmarkIndexedQuery(b *testing.B) {
	n := manyDocuments
	if text := os.Getenv("INDEXED_DOCUMENTS"); text != "" {
		_, err := fmt.Sscan(text, &n)
		require.NoError(b, err)
	}
	properties := narrowAndWild["default"]
	properties.IndexingPolicy = &azcosmos.IndexingPolicy{IncludedPaths: []azcosmos.IncludedPath{{Path: "/*"}}, CompositeIndexes: [][]azcosmos.CompositeIndex{
		{{Path: "/region", Order: azcosmos.CompositeIndexAscending}, {Path: "/number", Order: azcosmos.CompositeIndexDescending}}}}
	dir := b.TempDir()
	s, c := startContainer(b, properties, func(o *Options) { o.Dir = dir })
	began := time.Now()
	together(b, n/100, func(i int) error {
		key := fmt.Sprintf("key-%d", i%1000)
		r, err := run(c, key, nil, func(batch *azcosmos.TransactionalBatch) {
			for j := range 100 {
				number := int64(i-1)*100 + int64(j)
				batch.CreateItem(orderOf(fmt.Sprint(number), key, number), nil)
			}
		})
		if err == nil && !r.Success {
			return fmt.Errorf("rolled back: %s", batchStatuses(r))
		}
		return err
	})
	settle(s)
	b.Logf("%d documents in %.0f s, %d MB resident", n, time.Since(began).Seconds(), residentMB(b))
	middle := n / 2
	for _, q := range []struct {
		text  string
		found int
	}{
		{fmt.Sprintf("SELECT * FROM c WHERE c.email = 'customer-%d@example.com'", middle), 1},
		{fmt.Sprintf("SELECT * FROM c WHERE c.id = '%d'", middle), 1},
		{fmt.Sprintf("SELECT * FROM c WHERE c.id IN ('%d', '%d', '7')", middle, middle+1), 3},
		{fmt.Sprintf("SELECT * FROM c WHERE c.number BETWEEN %d AND %d", middle, middle+10), 11},
		{fmt.Sprintf("SELECT * FROM c WHERE STARTSWITH(c.email, 'customer-%d@')", middle), 1},
		{fmt.Sprintf("SELECT * FROM c WHERE c.status = 'open' AND c.number > %d AND c.number < %d", middle, middle+30), 10},
		{fmt.Sprintf("SELECT * FROM c WHERE c.number = %d OR c.email = 'customer-3@example.com'", middle), 2},
		{fmt.Sprintf("SELECT * FROM c WHERE ARRAY_CONTAINS(c.tags, 't%d')", middle/10), 10},
		{fmt.Sprintf("SELECT VALUE t FROM c JOIN t IN c.tags WHERE t = 't%d'", middle/10), 10},
		{"SELECT TOP 10 * FROM c WHERE c.status = 'open'", 10},
		{"SELECT TOP 10 * FROM c ORDER BY c.number", 10},
		{"SELECT TOP 10 * FROM c ORDER BY c.number DESC", 10},
		{"SELECT TOP 10 * FROM c WHERE c.status = 'open' ORDER BY c.number DESC", 10},
		{fmt.Sprintf("SELECT * FROM c WHERE c.number > %d ORDER BY c.number OFFSET 20 LIMIT 10", middle), 10},
		{"SELECT TOP 10 * FROM c ORDER BY c.region, c.number DESC", 10},
		{"SELECT TOP 10 * FROM c WHERE c.region = 'us' ORDER BY c.number DESC", 10},
		{fmt.Sprintf("SELECT TOP 10 * FROM c WHERE c.pk = 'key-%d' AND c.number > %d ORDER BY c.number", (middle/100+1)%1000, middle), 10},
	} {
		b.Run(q.text, func(b *testing.B) { askOften(b, s.Server, q.text, q.found) })
	}
}

// askOften asks for the first page of a query by range.
func askOften(b *testing.B, s *Server, text string, found int) {
	body := string(doc(b, m{"query": text}))
	var charge float64
	var looked int
	for b.Loop() {
		w := ask(b, s, "POST", "docs", body, "Content-Type", "application/query+json", "x-ms-documentdb-isquery", "True", withinRange, "0", "x-ms-documentdb-populatequerymetrics", "True")
		require.Equal(b, 200, w.Code, w.Body)
		var page struct{ Documents []json.RawMessage }
		require.NoError(b, json.Unmarshal(w.Body.Bytes(), &page))
		require.Len(b, page.Documents, found)
		_, err := fmt.Sscan(w.Header().Get("x-ms-request-charge"), &charge)
		require.NoError(b, err)
		_, err = fmt.Sscanf(w.Header().Get("x-ms-documentdb-query-metrics"), "retrievedDocumentCount=%d;", &looked)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms")
	b.ReportMetric(charge, "RU")
	b.ReportMetric(float64(looked), "looked-at")
	b.ReportMetric(0, "ns/op")
}
