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

// What an operation says of itself is honoured, in a bulk as in a batch.
func TestOperationsThatMean(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 1, "a")
	type answer []struct {
		StatusCode, SubStatusCode int
		ETag                      string
		ResourceBody              struct{ ID string }
	}
	send := func(atomic, body string) (int, answer) {
		w := ask(t, s.Server, "POST", "docs", body, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", atomic, "x-ms-documentdb-partitionkey", `["a"]`, "Prefer", "return=minimal")
		var results answer
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &results), w.Body)
		return w.Code, results
	}
	const key = `"partitionKey":"[\"a\"]",`
	read := func(more string) string { return `{"operationType":"Read",` + key + `"id":"000"` + more + `}` }
	for _, atomic := range []string{"true", "false"} {
		code, results := send(atomic, "["+read("")+"]")
		require.Equal(t, 200, code)
		require.Equal(t, "000", results[0].ResourceBody.ID, "what is read is shown")
		code, results = send(atomic, "["+read("")+","+read(`,"ifNoneMatch":`+string(doc(t, results[0].ETag)))+"]")
		require.Equal(t, 207, code)
		require.Equal(t, 200, results[0].StatusCode)
		require.Equal(t, 304, results[1].StatusCode)
		require.Empty(t, results[1].ResourceBody.ID)
		code, results = send(atomic, `[{"operationType":"Create",`+key+`"resourceBody":{"id":"x","pk":"b"}}]`)
		require.Equal(t, 207, code)
		require.Equal(t, 1001, results[0].SubStatusCode)
		_, results = send(atomic, `[{"operationType":"Create",`+key+`"indexingDirective":"Exclude","resourceBody":{"id":"x","pk":"a"}}]`)
		require.Equal(t, 400, results[0].StatusCode)
	}
	require.Len(t, s.Documents("db", "c"), 1)
	w := ask(t, s.Server, "POST", "docs", `[{"operationType":"Upsert","minimalReturnPreference":true,"resourceBody":{"id":"x","pk":"a"}},{"operationType":"Upsert","resourceBody":{"id":"y","pk":"a"}}]`,
		"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "true", "x-ms-documentdb-partitionkey", `["a"]`)
	require.Equal(t, 200, w.Code)
	require.NotContains(t, w.Body.String(), `"id":"x"`)
	require.Contains(t, w.Body.String(), `"id":"y"`)
}

// A bulk that is to end with the first refusal does none of what follows: older JavaScript clients ask for that.
func TestBulkThatEnds(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", strings.NewReader(`[
		{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Create","partitionKey":"[\"b\"]","resourceBody":{"id":"2","pk":"b"}}]`), time.Now())
	r.Header.Set("x-ms-cosmos-is-batch-request", "True")
	r.Header.Set("x-ms-cosmos-batch-atomic", "false")
	r.Header.Set("x-ms-cosmos-batch-continue-on-error", "False")
	w := serve(s.Server, r)
	require.Equal(t, 207, w.Code, w.Body)
	var results []struct{ StatusCode int }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &results))
	require.Equal(t, []struct{ StatusCode int }{{201}, {409}, {424}}, results)
	require.Len(t, s.Documents("db", "c"), 1)
}

// What a bulk has stored is not refused because the answer would be too large: its documents are left out, and a read that
// has no room is refused for itself, with what tells clients to send it again.
func TestBulkWithALargeAnswer(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	const documents = 8
	operations := func(one string) string {
		list := make([]string, documents)
		for i := range list {
			list[i] = strings.ReplaceAll(one, "#", string(rune('a'+i)))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for i := range documents {
		key := string(rune('a' + i))
		_, err := c.CreateItem(t.Context(), pk(key), doc(t, m{"id": "1", "pk": key, "n": 0, "text": strings.Repeat("x", 1<<20)}), nil)
		require.NoError(t, err)
	}
	send := func(body string) (code int, results []struct {
		StatusCode, SubStatusCode int
		ETag                      string
		ResourceBody              json.RawMessage
	}) {
		r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", strings.NewReader(body), time.Now())
		r.Header.Set("x-ms-cosmos-is-batch-request", "True")
		w := serve(s.Server, r)
		require.Less(t, w.Body.Len(), 5<<20)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &results), "%.200s", w.Body)
		return w.Code, results
	}
	code, results := send(operations(`{"operationType":"Patch","id":"1","partitionKey":"[\"#\"]","resourceBody":{"operations":[{"op":"incr","path":"/n","value":1}]}}`))
	require.Equal(t, 200, code)
	shown := 0
	for _, r := range results {
		require.Equal(t, 200, r.StatusCode)
		require.NotEmpty(t, r.ETag)
		if r.ResourceBody != nil {
			shown++
		}
	}
	require.Equal(t, 3, shown, "as many as 4 MB have room for")
	for _, d := range s.Documents("db", "c") {
		require.Contains(t, string(d), `"n":1,`)
	}

	code, results = send(operations(`{"operationType":"Read","id":"1","partitionKey":"[\"#\"]"}`))
	require.Equal(t, 207, code)
	for i, r := range results {
		if i < 3 {
			require.Equal(t, 200, r.StatusCode)
			continue
		}
		require.Equal(t, []int{413, 3402}, []int{r.StatusCode, r.SubStatusCode})
		require.Less(t, len(r.ResourceBody), 1000)
	}
}
