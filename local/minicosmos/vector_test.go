package minicosmos

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where a query does not say how vectors are compared, the container's policy does.
func TestMetricOfAPolicy(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("other"))
	body := `{"id":"c","partitionKey":{"paths":["/pk"]},"vectorEmbeddingPolicy":{"vectorEmbeddings":[
		{"path":"/v","dataType":"float32","dimensions":2,"distanceFunction":"euclidean"},{"path":"/\"deep\"/w","dataType":"float32","dimensions":2,"distanceFunction":"DotProduct"}]}}`
	require.Equal(t, 201, serve(s.Server, signed(t, "POST", "/dbs/db/colls", "colls", "dbs/db", strings.NewReader(body), time.Now())).Code)
	for id, vector := range map[string]string{"near": "[2,1]", "same": "[9,0]"} { // near [1,0], and in the same direction
		body := `{"id":"` + id + `","pk":"a","v":` + vector + `,"deep":{"w":` + vector + `}}`
		require.Equal(t, 201, ask(t, s.Server, "POST", "docs", body, "x-ms-documentdb-partitionkey", `["a"]`).Code)
	}
	rows := func(query string) string {
		w := ask(t, s.Server, "POST", "docs", `{"query":`+string(doc(t, query))+`}`, "Content-Type", "application/query+json", "x-ms-documentdb-isquery", "True", "x-ms-documentdb-partitionkey", `["a"]`)
		require.Equal(t, 200, w.Code, w.Body)
		return w.Body.String()[strings.Index(w.Body.String(), `"Documents":`)+12:]
	}
	for query, want := range map[string]string{
		`SELECT VALUE VectorDistance(c.v, [1,0]) FROM c WHERE c.id = "same"`:                                        `[8]`,
		`SELECT VALUE VectorDistance([1,0], c["v"], true) FROM c WHERE c.id = "same"`:                               `[8]`,
		`SELECT VALUE VectorDistance(c.v, [1,0], false, {"dataType":"float32"}) FROM c WHERE c.id = "same"`:         `[8]`,
		`SELECT VALUE VectorDistance(c.deep.w, [1,0]) FROM c WHERE c.id = "same"`:                                   `[9]`,
		`SELECT VALUE VectorDistance(c.v, [1,0], false, {"distanceFunction":"cosine"}) FROM c WHERE c.id = "same"`:  `[1]`,
		`SELECT VALUE VectorDistance([c.v[0], 0], [1,0]) FROM c WHERE c.id = "same"`:                                `[1]`,
		`SELECT VALUE c.id FROM c ORDER BY VectorDistance(c.v, [1,0])`:                                              `["near","same"]`,
		`SELECT VALUE c.id FROM c ORDER BY VectorDistance(c.v, [1,0], false, {"distanceFunction":"cosine"})`:        `["same","near"]`,
		`SELECT VALUE c.id FROM c ORDER BY RANK VectorDistance(c.v, [1,0])`:                                         `["near","same"]`,
		`SELECT VALUE c.id FROM c ORDER BY RANK RRF(VectorDistance(c.v, [1,0]), VectorDistance(c.v, [1,0], false))`: `["near","same"]`,
	} {
		require.Equal(t, want, strings.SplitN(rows(query), `,"_count"`, 2)[0], query)
	}
	w := ask(t, s.Server, "POST", "docs", `{"query":"SELECT TOP 1 c.id FROM c ORDER BY VectorDistance(c.v, [1,0])"}`, asPlan, "True", "x-ms-cosmos-supported-query-features", dotnetFeatures)
	require.Contains(t, w.Body.String(), `\"distanceFunction\": \"euclidean\"`, "ranges are asked with what the policy says")
}
