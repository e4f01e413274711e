package minicosmos

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

var everywhere = azcosmos.NewPartitionKey()

// fill stores n documents under each key; every third is pending.
func fill(t testing.TB, c *azcosmos.ContainerClient, n int, keys ...string) {
	t.Helper()
	for i := range n {
		for _, key := range keys {
			d := m{"id": fmt.Sprintf("%03d", i), "pk": key, "seq": i, "name": fmt.Sprintf("n%d", i%5)}
			if i%3 == 0 {
				d["pending"] = true
			}
			_, err := c.CreateItem(context.Background(), pk(key), doc(t, d), nil)
			require.NoError(t, err)
		}
	}
}

func TestQueryInsidePartition(t *testing.T) {
	t.Parallel()
	properties := outboxLike("c")
	properties.IndexingPolicy.IncludedPaths = append(properties.IndexingPolicy.IncludedPaths, azcosmos.IncludedPath{Path: "/name/?"})
	properties.IndexingPolicy.CompositeIndexes = [][]azcosmos.CompositeIndex{{{Path: "/name", Order: azcosmos.CompositeIndexDescending}, {Path: "/seq", Order: azcosmos.CompositeIndexAscending}}}
	_, c := startContainer(t, properties)
	fill(t, c, 10, "a", "b")
	for _, test := range []struct {
		text   string
		params []azcosmos.QueryParameter
		want   []string
	}{
		{text: "SELECT VALUE c.seq FROM c ORDER BY c.seq DESC OFFSET 1 LIMIT 3", want: []string{"8", "7", "6"}},
		{text: "SELECT TOP 2 VALUE c.id FROM c WHERE c.pending = true ORDER BY c.seq", want: []string{`"000"`, `"003"`}},
		{text: "SELECT VALUE COUNT(1) FROM c", want: []string{"10"}},
		{text: "SELECT VALUE MAX(c.seq) FROM c WHERE c.pending = true OR c.parked = true", want: []string{"9"}},
		{text: "SELECT c.id, c.name AS n FROM c WHERE c.seq = @seq", params: []azcosmos.QueryParameter{{Name: "@seq", Value: 4}}, want: []string{`{"id":"004","n":"n4"}`}},
		{text: "SELECT DISTINCT VALUE c.name FROM c WHERE c.seq IN (0, 5, 6) ORDER BY c.name", want: []string{`"n0"`, `"n1"`}},
		{text: "SELECT c.name, COUNT(1) AS n FROM c WHERE c.seq < 3 GROUP BY c.name", want: []string{`{"name":"n0","n":1}`, `{"name":"n1","n":1}`, `{"name":"n2","n":1}`}},
		{text: `SELECT VALUE c.id FROM c WHERE c.id LIKE '%7' OR c.id = "002"`, want: []string{`"002"`, `"007"`}},
		{text: "SELECT COUNT(1) AS n FROM (SELECT DISTINCT c.name FROM c)", want: []string{`{"n":5}`}},
		{text: "SELECT VALUE g.n FROM (SELECT c.name, COUNT(1) AS n FROM c GROUP BY c.name) g WHERE g.name = 'n1' -- by name", want: []string{"2"}},
		{text: "SELECT VALUE DOCUMENTID(c) > 0 FROM c WHERE c.id = '003'", want: []string{"true"}},
		{text: "SELECT TOP 1 VALUE {first: c.id} FROM c ORDER BY RANK FullTextScore(c.name, 'n4')", want: []string{`{"first":"004"}`}},
		{text: "SELECT VALUE c.seq FROM c WHERE c.seq BETWEEN 2 AND 8 ORDER BY c.name DESC, c.seq", want: []string{"4", "3", "8", "2", "7", "6", "5"}},
	} {
		for _, page := range []int32{0, 1, 2, 100} {
			got, err := query(t, c, test.text, pk("a"), &azcosmos.QueryOptions{QueryParameters: test.params, PageSizeHint: page})
			require.NoError(t, err, test.text)
			require.Equal(t, test.want, got, "%s, pages of %d", test.text, page)
		}
	}
}

func TestQueryAcrossPartitions(t *testing.T) {
	t.Parallel()
	for _, ranges := range []int{1, 4} {
		_, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = ranges })
		fill(t, c, 10, "a", "b", "x")
		for _, page := range []int32{0, 1, 4} {
			o := &azcosmos.QueryOptions{PageSizeHint: page}
			got, err := query(t, c, "SELECT VALUE c.seq FROM c WHERE c.pending = true", everywhere, o)
			require.NoError(t, err)
			require.ElementsMatch(t, strings.Fields("0 0 0 3 3 3 6 6 6 9 9 9"), got)
			got, err = query(t, c, "SELECT c.id FROM c WHERE c.name = 'n1'", everywhere, o)
			require.NoError(t, err)
			require.Len(t, got, 6)
			got, err = query(t, c, "SELECT VALUE c.seq FROM c WHERE c.pk = 'x' ORDER BY c.seq DESC", everywhere, o)
			require.NoError(t, err, "WHERE pins one partition")
			require.Equal(t, strings.Fields("9 8 7 6 5 4 3 2 1 0"), got)
		}
		for _, text := range []string{
			"SELECT * FROM c ORDER BY c.seq", "SELECT TOP 1 * FROM c", "SELECT * FROM c OFFSET 0 LIMIT 1", "SELECT VALUE COUNT(1) FROM c",
			"SELECT DISTINCT c.name FROM c", "SELECT c.name FROM c GROUP BY c.name",
		} {
			_, err := query(t, c, text, everywhere, nil)
			require.Equal(t, http.StatusBadRequest, status(t, err), text)
			require.Contains(t, err.Error(), "cross partition query can not be directly served by the gateway")
		}
		disabled := false
		_, err := query(t, c, "SELECT * FROM c", everywhere, &azcosmos.QueryOptions{EnableCrossPartitionQuery: &disabled})
		require.Equal(t, http.StatusBadRequest, status(t, err))
	}
}

func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	fill(t, c, 3, "a")
	for _, text := range []string{"SELEC * FROM c", "SELECT * FROM c WHERE c.n =", "SELECT x.id FROM c", "SELECT NOSUCH(c.id) FROM c", "SELECT * FROM c WHERE c.id = @p",
		"SELECT VALUE REGEXMATCH(c.id, 'a(?=b)') FROM c", "SELECT VALUE HASH(c.id) FROM c", "SELECT VALUE udf.f(c) FROM c", "SELECT FullTextScore(c.id, 'a') FROM c"} {
		_, err := query(t, c, text, pk("a"), nil)
		require.Equal(t, http.StatusBadRequest, status(t, err), text)
	}
	_, err := query(t, c, "SELECT * FROM c WHERE c.n ? 1", pk("a"), nil)
	require.ErrorContains(t, err, `\"location\":{\"start\":`)
	wrong := "bm8"
	_, err = query(t, c, "SELECT * FROM c", pk("a"), &azcosmos.QueryOptions{ContinuationToken: &wrong})
	require.Equal(t, http.StatusBadRequest, status(t, err))

	page, err := c.NewQueryItemsPager("SELECT * FROM c", pk("a"), &azcosmos.QueryOptions{PageSizeHint: 1}).NextPage(context.Background())
	require.NoError(t, err)
	_, err = query(t, c, "SELECT c.id FROM c", pk("a"), &azcosmos.QueryOptions{ContinuationToken: page.ContinuationToken})
	require.Equal(t, http.StatusBadRequest, status(t, err), "another query's continuation")
}

// looked returns the documents that the first page of a query had to read.
func looked(t testing.TB, c *azcosmos.ContainerClient, text string, key azcosmos.PartitionKey) (n, found int) {
	t.Helper()
	page, err := c.NewQueryItemsPager(text, key, nil).NextPage(context.Background())
	require.NoError(t, err)
	_, err = fmt.Sscanf(*page.QueryMetrics, "retrievedDocumentCount=%d;", &n)
	require.NoError(t, err)
	return n, len(page.Items)
}

func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	for i := range 200 {
		d := m{"id": fmt.Sprint(i), "pk": fmt.Sprint(i % 20), "seq": i}
		if i%50 == 7 {
			d["pending"] = true
		}
		_, err := c.CreateItem(context.Background(), pk(fmt.Sprint(i%20)), doc(t, d), nil)
		require.NoError(t, err)
	}
	for _, test := range []struct {
		text   string
		key    azcosmos.PartitionKey
		looked int
		found  int
	}{
		{"SELECT * FROM c WHERE c.pending = true", everywhere, 4, 4},
		{"SELECT * FROM c WHERE c.pending", everywhere, 4, 4},
		{"SELECT * FROM c WHERE c.pending = true AND c.seq > 60", everywhere, 2, 2},
		{"SELECT * FROM c WHERE c.seq > 60 AND c.seq <= 63", everywhere, 3, 3},
		{"SELECT * FROM c WHERE c.id = '47'", pk("7"), 1, 1},
		{"SELECT TOP 3 * FROM c WHERE c.seq >= 0 ORDER BY c.seq DESC", pk("7"), 10, 3},
		{"SELECT * FROM c WHERE c.pending = true OR c.parked = true", everywhere, 4, 4},
		{"SELECT * FROM c WHERE c.seq IN (3, 5, 1000)", everywhere, 2, 2},
		{"SELECT * FROM c WHERE c.pending = true ORDER BY c.seq", pk("7"), 2, 2},
		{"SELECT * FROM c WHERE c.seq >= 0", pk("7"), 10, 10},
		{"SELECT * FROM c WHERE c.pk = '7' AND c.seq >= 0", everywhere, 10, 10},
		{"SELECT * FROM c WHERE c.pending = true OR c.id = '1'", everywhere, 200, 5},
	} {
		n, found := looked(t, c, test.text, test.key)
		require.Equal(t, test.looked, n, test.text)
		require.Equal(t, test.found, found, test.text)
	}
	var p azcosmos.PatchOperations
	p.AppendRemove("/pending")
	_, err := c.PatchItem(context.Background(), pk("7"), "7", p, nil)
	require.NoError(t, err)
	_, err = c.DeleteItem(context.Background(), pk("17"), "57", nil)
	require.NoError(t, err)
	n, _ := looked(t, c, "SELECT * FROM c WHERE c.pending = true", everywhere)
	require.Equal(t, 2, n, "entries go with their documents")
}

func TestIndexMetricsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	page, err := c.NewQueryItemsPager("SELECT * FROM c WHERE c.seq = 1", pk("a"), &azcosmos.QueryOptions{PopulateIndexMetrics: true}).NextPage(context.Background())
	require.NoError(t, err)
	report, err := base64.StdEncoding.DecodeString(*page.IndexMetrics)
	require.NoError(t, err)
	require.Contains(t, string(report), "/seq/?")
	page, err = c.NewQueryItemsPager("SELECT * FROM c WHERE c.seq = 1", pk("a"), nil).NextPage(context.Background())
	require.NoError(t, err)
	require.Nil(t, page.IndexMetrics)
}

func TestReadManyAndFeedRanges(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 4 })
	var wanted []azcosmos.ItemIdentity
	for i := range 40 {
		key := fmt.Sprint("key-", i)
		fill(t, c, 1, key)
		wanted = append(wanted, azcosmos.ItemIdentity{PartitionKey: pk(key), ID: "000"})
	}
	got, err := c.ReadManyItems(context.Background(), wanted, nil)
	require.NoError(t, err)
	require.Len(t, got.Items, 40, "the SDK's hash and ours agree")
	ranges, err := c.ReadFeedRanges(context.Background(), nil)
	require.NoError(t, err)
	require.Len(t, ranges, 4)
}
