package minicosmos

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask sends a request for what is below the container c with some headers: name, value, name, value, …
func ask(t testing.TB, s *Server, method, feed, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := signed(t, method, "/dbs/db/colls/c/"+feed, feed, "dbs/db/colls/c", strings.NewReader(body), time.Now())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return serve(s, r)
}

const (
	asPlan      = "x-ms-cosmos-is-query-plan-request"
	withinRange = "x-ms-documentdb-partitionkeyrangeid"
	allFeatures = "Aggregate,CompositeAggregate,Distinct,GroupBy,MultipleAggregates,MultipleOrderBy,NonValueAggregate,OffsetAndLimit,OrderBy, Top, DCount"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 3 })
	fill(t, c, 2, "a", "b", "x")
	for _, test := range []struct{ query, info string }{
		{"SELECT * FROM c WHERE c.n = 1", `{"rewrittenQuery":""}`},
		{"SELECT TOP @k c.id FROM c ORDER BY c.seq DESC, c[\"name\"]", `{"top":5,"orderBy":["Descending","Ascending"],"orderByExpressions":["c.seq","c[\"name\"]"],
			"rewrittenQuery":"SELECT TOP @k c._rid, [{\"item\": c.seq}, {\"item\": c[\"name\"]}] AS orderByItems, {\"id\": c.id} AS payload FROM c WHERE ({documentdb-formattableorderbyquery-filter}) ORDER BY c.seq DESC, c[\"name\"]"}`},
		{"SELECT VALUE c.id FROM c WHERE c.seq > 0 OR c.x ORDER BY c.seq OFFSET 2 LIMIT 3", `{"offset":2,"limit":3,"orderBy":["Ascending"],"orderByExpressions":["c.seq"],"hasSelectValue":true,
			"rewrittenQuery":"SELECT c._rid, [{\"item\": c.seq}] AS orderByItems, c.id AS payload FROM c WHERE ((c.seq > 0) OR c.x) AND IS_DEFINED(c.id) AND ({documentdb-formattableorderbyquery-filter}) ORDER BY c.seq OFFSET 0 LIMIT 5"}`},
		{"SELECT VALUE COUNT(1) FROM c", `{"aggregates":["Count"],"hasSelectValue":true,"rewrittenQuery":"SELECT VALUE [{\"item\": COUNT(1)}] FROM c"}`},
		{"SELECT AVG(c.n) AS mean, MAX(c.n) FROM c", `{"groupByAliases":["mean","$1"],"groupByAliasToAggregateType":{"mean":"Average","$1":"Max"},
			"rewrittenQuery":"SELECT {\"mean\": {\"item\": {\"sum\": SUM(c.n), \"count\": COUNT(c.n)}}, \"$1\": {\"item\": MAX(c.n), \"item2\": {\"max\": MAX(c.n), \"count\": COUNT(c.n)}}} AS payload FROM c"}`},
		{"SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g", `{"groupByExpressions":["c.g"],"groupByAliases":["g","n"],"groupByAliasToAggregateType":{"g":null,"n":"Count"},
			"rewrittenQuery":"SELECT [{\"item\": c.g}] AS groupByItems, {\"g\": c.g, \"n\": {\"item\": COUNT(1)}} AS payload FROM c GROUP BY c.g"}`},
		{"SELECT DISTINCT VALUE c.g FROM c", `{"distinctType":"Unordered","hasSelectValue":true,"rewrittenQuery":"SELECT DISTINCT VALUE c.g FROM c"}`},
		{"SELECT COUNT(1) AS n FROM (SELECT DISTINCT VALUE c.g FROM c)", `{"distinctType":"Unordered","dCountInfo":{"dCountAlias":"n"},"rewrittenQuery":"SELECT DISTINCT VALUE c.g FROM c"}`},
	} {
		body := `{"query":` + string(doc(t, test.query)) + `,"parameters":[{"name":"@k","value":5}]}`
		w := ask(t, s.Server, "POST", "docs", body, asPlan, "True", "x-ms-cosmos-supported-query-features", allFeatures)
		require.Equal(t, 200, w.Code, w.Body)
		var plan struct {
			Version int             `json:"partitionedQueryExecutionInfoVersion"`
			Info    m               `json:"queryInfo"`
			Ranges  json.RawMessage `json:"queryRanges"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &plan))
		want := m{"distinctType": "None", "top": nil, "offset": nil, "limit": nil, "orderBy": []any{}, "orderByExpressions": []any{}, "groupByExpressions": []any{}, "groupByAliases": []any{},
			"aggregates": []any{}, "groupByAliasToAggregateType": m{}, "hasSelectValue": false, "hasNonStreamingOrderBy": false}
		require.NoError(t, json.Unmarshal([]byte(test.info), &want))
		require.Equal(t, want, plan.Info, test.query)
		require.Equal(t, 2, plan.Version)
		require.JSONEq(t, `[{"min":"","max":"FF","isMinInclusive":true,"isMaxInclusive":false}]`, string(plan.Ranges))
	}
}

// What is marked as a request for a plan writes nothing, whatever it looks like besides.
func TestPlanNeverWrites(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	for _, headers := range [][]string{
		{}, {"x-ms-documentdb-is-upsert", "true"}, {"x-ms-documentdb-partitionkey", `["a"]`}, {"x-ms-documentdb-isquery", "true", "Content-Type", "application/query+json"},
		{"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True", "x-ms-documentdb-partitionkey", `["a"]`},
	} {
		for _, flag := range []string{"True", "true", "1", "yes"} {
			for _, body := range []string{`{"id":"1","pk":"a","query":"SELECT VALUE 1"}`, `{"id":"1","pk":"a"}`, `[{"operationType":"Create","resourceBody":{"id":"1","pk":"a"}}]`} {
				w := ask(t, s.Server, "POST", "docs", body, append(headers, asPlan, flag)...)
				require.NotEqual(t, 201, w.Code)
			}
		}
	}
	require.Empty(t, s.Documents("db", "c"))
	require.Equal(t, 201, ask(t, s.Server, "POST", "docs", `{"id":"1","pk":"a"}`, "x-ms-documentdb-partitionkey", `["a"]`, asPlan, "False").Code)
	require.Len(t, s.Documents("db", "c"), 1)
}

func TestPlanRefused(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	for query, want := range map[string]string{
		"SELECT c.g FROM c GROUP BY c.g":                              "client does not support: GroupBy",
		"SELECT TOP 1 * FROM c":                                       "client does not support: Top",
		"SELECT VALUE COUNT(1) * 2 FROM c":                            "Compositions of aggregates",
		"SELECT c.g FROM c GROUP BY c.g ORDER BY c.g":                 "is not supported with 'GROUP BY'",
		"SELECT VALUE COUNT(1) FROM (SELECT TOP 1 c.g FROM c)":        "A subquery in FROM",
		"SELECT TOP 1 * FROM c ORDER BY RANK FullTextScore(c.t, 'x')": "ORDER BY RANK",
		"SELECT FROM":               "Syntax error",
		"SELECT TOP @none * FROM c": "undefined query parameter @none",
	} {
		w := ask(t, s.Server, "POST", "docs", string(doc(t, m{"query": query})), asPlan, "True", "x-ms-cosmos-supported-query-features", "OrderBy")
		require.Equal(t, 400, w.Code, query)
		require.Contains(t, w.Body.String(), want, query)
	}
}

// A query that the gateway does not serve brings its plan; sent to each range it is served, page by page.
func TestQueryByRange(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 3 })
	fill(t, c, 5, "a", "b", "x", "y")
	asQuery := []string{"Content-Type", "application/query+json", "x-ms-documentdb-isquery", "True", "x-ms-documentdb-query-enablecrosspartition", "True", "x-ms-max-item-count", "3"}
	for query, rows := range map[string]int{
		"SELECT c._rid, [{\"item\": c.seq}] AS orderByItems, c AS payload FROM c WHERE (true) ORDER BY c.seq": 20,
		"SELECT TOP 100 * FROM c": 20, "SELECT * FROM c OFFSET 0 LIMIT 15": 20, "SELECT VALUE [{\"item\": COUNT(1)}] FROM c": 3,
		"SELECT [{\"item\": c.pk}] AS groupByItems, {\"n\": {\"item\": MIN(c.seq)}} AS payload FROM c GROUP BY c.pk": 4, "SELECT DISTINCT c.pk FROM c": 4,
	} {
		body := string(doc(t, m{"query": query}))
		w := ask(t, s.Server, "POST", "docs", body, asQuery...)
		require.Equal(t, 400, w.Code)
		require.Equal(t, "1004", w.Header().Get("x-ms-substatus"))
		require.Contains(t, w.Body.String(), `"additionalErrorInfo":"{`)
		found := 0
		for _, rng := range []string{"0", "1", "2"} {
			for next := ""; ; {
				w := ask(t, s.Server, "POST", "docs", body, append(asQuery, withinRange, rng, "x-ms-continuation", next)...)
				require.Equal(t, 200, w.Code, w.Body)
				var page struct{ Documents []json.RawMessage }
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
				require.LessOrEqual(t, len(page.Documents), 3)
				found += len(page.Documents)
				if next = w.Header().Get("x-ms-continuation"); next == "" {
					break
				}
			}
		}
		require.Equal(t, rows, found, query)
	}
	body := string(doc(t, m{"query": "SELECT VALUE COUNT(1) FROM c"}))
	require.Equal(t, 410, ask(t, s.Server, "POST", "docs", body, append(asQuery, withinRange, "7")...).Code)
	part := []string{"x-ms-start-epk", "", "x-ms-end-epk", "05"}
	require.Equal(t, 200, ask(t, s.Server, "POST", "docs", body, append(asQuery, part...)...).Code, "a part of one range")
	require.Equal(t, 400, ask(t, s.Server, "POST", "docs", body, append(asQuery, "x-ms-start-epk", "", "x-ms-end-epk", "FF")...).Code, "several ranges")
}

// A query that reads no document is asked of one range, however the key space is cut.
func TestPlanWithoutDocuments(t *testing.T) {
	t.Parallel()
	for _, ranges := range []int{1, 3, 64} {
		s, _ := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = ranges })
		w := ask(t, s.Server, "POST", "docs", `{"query":"SELECT VALUE 1"}`, asPlan, "True", "x-ms-cosmos-supported-query-features", allFeatures)
		require.Equal(t, 200, w.Code, w.Body)
		var plan struct{ QueryRanges []struct{ Min, Max string } }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &plan))
		require.Len(t, plan.QueryRanges, 1)
		r := ask(t, s.Server, "GET", "pkranges", "")
		require.Equal(t, 200, r.Code, r.Body)
		var all struct {
			PartitionKeyRanges []struct{ MinInclusive, MaxExclusive string }
		}
		require.NoError(t, json.Unmarshal(r.Body.Bytes(), &all))
		require.Len(t, all.PartitionKeyRanges, ranges)
		hit := 0
		for _, p := range all.PartitionKeyRanges {
			if p.MinInclusive < plan.QueryRanges[0].Max && plan.QueryRanges[0].Min < p.MaxExclusive {
				hit++
			}
		}
		require.Equal(t, 1, hit, "of %d ranges", ranges)
	}
}

// Clients decode the path of what was answered: names with a percent sign among them.
func TestAltContentPathIsEscaped(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("50%off größe"))
	answer, err := c.CreateItem(t.Context(), pk("k"), doc(t, m{"id": "1", "pk": "k"}), nil)
	require.NoError(t, err)
	require.Equal(t, "dbs/db/colls/50%25off%20gr%C3%B6%C3%9Fe", answer.RawResponse.Header.Get("x-ms-alt-content-path"))
}
