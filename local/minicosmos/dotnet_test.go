package minicosmos

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What Microsoft.Azure.Cosmos 3.62 sends in gateway mode for its main operations, read from its source
// (github.com/Azure/azure-cosmos-dotnet-v3, Microsoft.Azure.Cosmos/src): headers are those of RequestInvokerHandler, RequestOptions and its
// kinds, CosmosQueryClientCore, NetworkAttachedDocumentContainer, PartitionKeyRangeCache, GatewayAccountReader and GatewayStoreClient.
// Its batches are in rows_test.go.

const dotnetFeatures = "Aggregate, Distinct, GroupBy, MultipleOrderBy, MultipleAggregates, OffsetAndLimit, OrderBy, Top, NonValueAggregate, DCount, NonStreamingOrderBy, CountIf, HybridSearch, WeightedRankFusion, HybridSearchSkipOrderByRewrite"

// asDotnet sends a request with what the client puts on each of them; its signature is escaped in small letters.
func asDotnet(t *testing.T, s *Server, method, path, kind, link, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := signed(t, method, path, kind, link, strings.NewReader(body), time.Now())
	r.Header.Set("authorization", regexp.MustCompile("%[0-9A-F]{2}").ReplaceAllStringFunc(r.Header.Get("Authorization"), strings.ToLower))
	for name, value := range map[string]string{
		"Accept": "application/json", "Cache-Control": "no-cache", "User-Agent": "cosmos-netstandard-sdk/3.62.1|1|X64|Linux|.NET 8.0|N|F|",
		"x-ms-version": "2018-12-31", "x-ms-cosmos-sdk-supportedcapabilities": "1", "x-ms-activity-id": "7d4a1a5a-0b0a-4ae6-9e8c-0d9f2a4a3b11", "x-ms-noretry-449": "True",
	} {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return serve(s, r)
}

func TestWhatDotnetSends(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 3 })
	for _, key := range []string{"a", "b", "x"} {
		put(t, c, key, "1-"+key, 1)
		put(t, c, key, "2-"+key, 2)
	}
	const feed, container = "/dbs/db/colls/c/docs", "dbs/db/colls/c"
	rids := ridsOf(t, s.Server)
	ranges := "/dbs/" + rids[0] + "/colls/" + rids[1] + "/pkranges/"
	item := func(id string) (path, link string) { return feed + "/" + url.PathEscape(id), container + "/docs/" + id }
	one, oneLink := item("1-a")
	keyed := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	query := func(more ...string) []string {
		return append([]string{"Content-Type", "application/query+json", "x-ms-documentdb-isquery", "True", "x-ms-max-item-count", "2147483647",
			"x-ms-documentdb-query-enablecrosspartition", "True", "x-ms-documentdb-query-iscontinuationexpected", "False", "x-ms-documentdb-populatequerymetrics", "True",
			"x-ms-cosmos-supported-serialization-formats", "JsonText, CosmosBinary", "x-ms-cosmos-correlated-activityid", "1f3c2fbd-7c5c-4df0-9ad0-5c5f70ff8a7c"}, more...)
	}
	changes := func(more ...string) []string { return append([]string{"A-IM", "Incremental feed"}, more...) }
	for _, test := range []struct {
		name, method, path, kind, link, body string
		headers                              []string
		status                               int
		contains                             string   // of the body
		has                                  []string // headers of the answer that the client reads
	}{
		{"account", "GET", "/", "", "", "", nil, 200, `"userConsistencyPolicy"`, nil},
		{"container, for its cache", "GET", "/dbs/db/colls/c", "colls", container, "", nil, 200, `"partitionKey"`, nil},
		{"ranges by _rid", "GET", ranges, "pkranges", strings.ToLower(rids[1]), "", changes("x-ms-max-item-count", "-1"), 200, `"PartitionKeyRanges"`, []string{"Etag"}},
		{"create with a bucket of throughput", "POST", feed, "docs", container, `{"id":"3","pk":"a"}`, append(keyed, "Prefer", "return=minimal", "x-ms-cosmos-priority-level", "Low", "x-ms-cosmos-throughput-bucket", "1"), 201, "", []string{"Etag", "x-ms-session-token"}},
		{"upsert", "POST", feed, "docs", container, `{"id":"3","pk":"a","n":1}`, append(keyed, "x-ms-documentdb-is-upsert", "True"), 200, `"n":1`, nil},
		{"read, which may be binary and is text", "GET", one, "docs", oneLink, "", append(keyed, "x-ms-cosmos-supported-serialization-formats", "CosmosBinary"), 200, `{"id":"1-a"`, []string{"Etag"}},
		{"read what it has", "GET", one, "docs", oneLink, "", append(keyed, "If-None-Match", `"none"`), 200, "", nil},
		{"replace what is another", "PUT", one, "docs", oneLink, `{"id":"1-a","pk":"a"}`, append(keyed, "If-Match", `"none"`), 412, "", []string{"x-ms-session-token"}},
		{"patch", "PATCH", one, "docs", oneLink, `{"operations":[{"op":"add","path":"/n","value":5}]}`, append(keyed, "Content-Type", "application/json-patch+json"), 200, `"n":5`, nil},
		{"plan", "POST", feed, "docs", container, `{"query":"SELECT VALUE COUNT(1) FROM c"}`, []string{"Content-Type", "application/query+json", "x-ms-cosmos-is-query-plan-request", "True",
			"x-ms-cosmos-supported-query-features", dotnetFeatures, "x-ms-cosmos-query-version", "1.0"}, 200, `"aggregates":["Count"]`, nil},
		{"a rewritten query in a range", "POST", feed, "docs", container, `{"query":"SELECT VALUE [{\"item\": COUNT(1)}] FROM c"}`,
			query("x-ms-documentdb-partitionkeyrangeid", "0", "x-ms-cosmos-query-optimisticdirectexecute", "False"), 200, `"Documents":[[{"item":`, []string{"x-ms-item-count", "x-ms-request-charge", "x-ms-documentdb-query-metrics"}},
		{"a query as it is, straight to a range", "POST", feed, "docs", container, `{"query":"SELECT TOP 1 VALUE c.pk FROM c ORDER BY c.seq"}`,
			query("x-ms-documentdb-partitionkeyrangeid", "1", "x-ms-cosmos-query-optimisticdirectexecute", "True"), 200, `"_count":1`, nil},
		{"a query of a key", "POST", feed, "docs", container, `{"query":"SELECT VALUE c.id FROM c WHERE c.id = @id","parameters":[{"name":"@id","value":"2-a"}]}`, query(keyed...), 200, `["2-a"]`, nil},
		{"read many", "POST", feed, "docs", container, `{"query":"SELECT * FROM c WHERE ( ( c.id = @param_id0 AND c[\"pk\"] = @param_pk00 ) OR ( c.id = @param_id1 AND c[\"pk\"] = @param_pk10 ) )",
			"parameters":[{"name":"@param_id0","value":"1-a"},{"name":"@param_pk00","value":"a"},{"name":"@param_id1","value":"2-a"},{"name":"@param_pk10","value":"a"}]}`, query(keyed...), 200, `"_count":2`, nil},
		{"all documents of a range", "GET", feed, "docs", container, "", []string{"x-ms-documentdb-partitionkeyrangeid", "0", "x-ms-max-item-count", "10"}, 200, `"Documents":[`, []string{"x-ms-item-count"}},
		{"changes from the beginning", "GET", feed, "docs", container, "", changes("x-ms-documentdb-partitionkeyrangeid", "0"), 200, `"_lsn":1`, []string{"Etag", "x-ms-item-count"}},
		{"changes of part of a range", "GET", feed, "docs", container, "", changes("x-ms-documentdb-partitionkeyrangeid", "0", "x-ms-read-key-type", "EffectivePartitionKeyRange",
			"x-ms-start-epk", "", "x-ms-end-epk", "00"), 304, "", []string{"Etag", "x-ms-item-count"}},
		{"changes from now", "GET", feed, "docs", container, "", changes("x-ms-documentdb-partitionkeyrangeid", "0", "If-None-Match", "*"), 304, "", []string{"Etag", "x-ms-item-count"}},
		{"changes since a time", "GET", feed, "docs", container, "", changes("x-ms-documentdb-partitionkeyrangeid", "0", "If-Modified-Since", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)), 200, "", nil},
		{"all versions and deletes", "GET", feed, "docs", container, "", []string{"A-IM", "Full-Fidelity Feed", "x-ms-cosmos-changefeed-wire-format-version", "2021-09-15"}, 400, "", nil},
		{"all documents, backwards", "GET", feed, "docs", container, "", []string{"x-ms-enumeration-direction", "Reverse"}, 400, "", nil},
		{"documents between two _rids", "GET", feed, "docs", container, "", []string{"x-ms-read-key-type", "ResourceId", "x-ms-start-id", "AAAA"}, 400, "x-ms-start-id", nil},
		{"an item in binary JSON", "POST", feed, "docs", container, "\x80\xea\x05", keyed, 400, "binary", nil},
		{"throughput", "POST", "/offers", "offers", "", `{"query":"SELECT * FROM root r WHERE r.offerResourceId = @rid","parameters":[{"name":"@rid","value":"` + rids[1] + `"}]}`, query(), 200, `"Offers"`, nil},
		{"delete", "DELETE", feed + "/3", "docs", container + "/docs/3", "", keyed, 204, "", nil},
	} {
		w := asDotnet(t, s.Server, test.method, test.path, test.kind, test.link, test.body, test.headers...)
		require.Equal(t, test.status, w.Code, "%s: %s", test.name, w.Body)
		require.Contains(t, w.Body.String(), test.contains, test.name)
		for _, header := range test.has {
			require.NotEmpty(t, w.Header().Get(header), "%s: %s", test.name, header)
		}
	}
	etag := asDotnet(t, s.Server, "GET", ranges, "pkranges", strings.ToLower(rids[1]), "", changes()...).Header().Get("Etag")
	w := asDotnet(t, s.Server, "GET", ranges, "pkranges", strings.ToLower(rids[1]), "", changes("If-None-Match", etag)...)
	require.Equal(t, 304, w.Code, "the client reads the ranges until nothing is new")
}

// The second form of index metrics is JSON escaped as in a URL: ResponseMessage.DecodeIndexMetrics. The first is base64.
func TestIndexMetricsOfDotnet(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 1)
	body := `{"query":"SELECT * FROM c WHERE c.pending = true"}`
	headers := []string{"Content-Type", "application/query+json", "x-ms-documentdb-isquery", "True", "x-ms-documentdb-partitionkey", `["a"]`}
	text, err := url.QueryUnescape(ask(t, s.Server, "POST", "docs", body, append(headers, "x-ms-cosmos-populateindexmetrics-V2", "True")...).Header().Get("x-ms-cosmos-index-utilization"))
	require.NoError(t, err)
	var used struct {
		UtilizedIndexes struct{ SingleIndexes []struct{ IndexSpec string } }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &used), text)
	require.Equal(t, "/pending/?", used.UtilizedIndexes.SingleIndexes[0].IndexSpec)
	require.Empty(t, ask(t, s.Server, "POST", "docs", body, headers...).Header().Get("x-ms-cosmos-index-utilization"))
}

// A strategy that asks for the newest state is not sent to a replica that lags.
func TestReadConsistencyStrategy(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	require.NoError(t, s.Inject(Fault{Do: Stale, Delay: Duration(time.Hour)}))
	put(t, c, "a", "1", 0)
	for strategy, want := range map[string]int{"": 404, "Eventual": 404, "Session": 404, "LatestCommitted": 200, "GlobalStrong": 200} {
		w := asDotnet(t, s.Server, "GET", "/dbs/db/colls/c/docs/1", "docs", "dbs/db/colls/c/docs/1", "", "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-read-consistency-strategy", strategy)
		require.Equal(t, want, w.Code, strategy)
	}
}
