package minicosmos

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// In a bulk each operation is done or refused for itself; those of one key in their order.
func TestBulk(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	send := func(body, rng string) *httptest.ResponseRecorder {
		r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", strings.NewReader(body), time.Now())
		r.Header.Set("x-ms-cosmos-is-batch-request", "True")
		r.Header.Set("x-ms-cosmos-batch-atomic", "false")
		r.Header.Set("x-ms-documentdb-partitionkeyrangeid", rng)
		return serve(s.Server, r)
	}
	w := send(`[
		{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Create","partitionKey":"[\"b\"]","resourceBody":{"id":"1","pk":"b"}},
		{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Read","id":"1","partitionKey":"[\"a\"]"},
		{"operationType":"Delete","id":"9","partitionKey":"[\"a\"]"},
		{"operationType":"Read","id":"1","partitionKey":"oops"},
		{"operationType":"Read","id":"1","partitionKey":"[1,2]"},
		{"operationType":"Burn","id":"1","partitionKey":"[\"a\"]"}]`, "0")
	require.Equal(t, 207, w.Code, w.Body)
	var results []struct {
		StatusCode    int
		RequestCharge float64
		ETag          string
		ResourceBody  struct{ ID, Code string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &results))
	var codes []int
	for _, r := range results {
		codes = append(codes, r.StatusCode)
		require.Positive(t, r.RequestCharge)
	}
	require.Equal(t, []int{201, 201, 409, 200, 404, 400, 400, 400}, codes)
	require.NotEmpty(t, results[0].ETag)
	require.Equal(t, "1", results[3].ResourceBody.ID)
	require.Len(t, s.Documents("db", "c"), 2)

	require.Equal(t, 200, send(`[{"operationType":"Upsert","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}}]`, "").Code)
	require.Equal(t, 410, send(`[{"operationType":"Read","id":"1","partitionKey":"[\"a\"]"}]`, "3").Code)
	for _, body := range []string{`[]`, `{}`, `x`, "[" + strings.Repeat(`{"operationType":"Read","id":"1","partitionKey":"[1]"},`, 100) + `{}]`} {
		require.Equal(t, 400, send(body, "0").Code)
	}
}
