package minicosmos

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/hybridrow"
)

// Batches as .NET sends them: the layouts of HybridRowBatchSchemas.json (github.com/Azure/azure-cosmos-dotnet-v3,
// Microsoft.Azure.Cosmos/src/Batch), written down here for the client's side.
var (
	sentRow = hybridrow.NewLayout(2145473648, append(typed(hybridrow.Int32, hybridrow.Fixed, "operationType", "resourceType"),
		hybridrow.Column{Name: "partitionKey", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "effectivePartitionKey", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "id", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "binaryId", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "indexingDirective", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "ifMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "ifNoneMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "timeToLiveInSeconds", Type: hybridrow.Int32, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "minimalReturnPreference", Type: hybridrow.Bool, Storage: hybridrow.Sparse})...)
	answeredRow = hybridrow.NewLayout(2145473649, append(typed(hybridrow.Int32, hybridrow.Fixed, "statusCode", "subStatusCode"),
		hybridrow.Column{Name: "eTag", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "retryAfterMilliseconds", Type: hybridrow.Uint32, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "requestCharge", Type: hybridrow.Float64, Storage: hybridrow.Sparse})...)
)

func typed(t hybridrow.Type, storage hybridrow.Storage, names ...string) (columns []hybridrow.Column) {
	for _, name := range names {
		columns = append(columns, hybridrow.Column{Name: name, Type: t, Storage: storage})
	}
	return columns
}

// The numbers of .NET's OperationType, and of the columns in an operation.
const (
	rowCreate, rowPatch, rowRead, rowDelete, rowReplace, rowUpsert                                = 0, 1, 2, 4, 5, 20
	sentType, sentResource, sentKey, sentEPK, sentID, sentBody, sentIndexing, sentMatch, sentNone = 0, 1, 2, 3, 4, 6, 7, 8, 9
	sentTTL, sentMinimal                                                                          = 10, 11
)

// rowOperation is an operation as pairs of a column and a text; the last is nil for none.
func rowOperation(kind uint32, pairs ...any) hybridrow.Row {
	row := sentRow.Row()
	row.SetUint32(sentType, kind)
	row.SetUint32(sentResource, 2)
	for i := 0; i < len(pairs); i += 2 {
		row.SetBytes(pairs[i].(int), []byte(pairs[i+1].(string)))
	}
	return row
}

func stream(operations ...hybridrow.Row) []byte {
	b := hybridrow.AppendSegment(nil)
	for _, row := range operations {
		b = hybridrow.AppendRecord(b, sentRow, row)
	}
	return b
}

// sendRows sends a batch with the headers of .NET: SinglePartitionKeyServerBatchRequest where key is set, else
// PartitionKeyRangeServerBatchRequest.
func sendRows(t *testing.T, s *Instance, key, rng string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", bytes.NewReader(body), time.Now())
	r.Header.Set("x-ms-cosmos-is-batch-request", "True")
	if key != "" {
		r.Header.Set("x-ms-documentdb-partitionkey", key)
		r.Header.Set("x-ms-cosmos-batch-atomic", "True")
		r.Header.Set("x-ms-cosmos-batch-ordered", "True")
	} else {
		r.Header.Set("x-ms-documentdb-partitionkeyrangeid", rng)
		r.Header.Set("x-ms-cosmos-batch-atomic", "False")
		r.Header.Set("x-ms-cosmos-batch-continue-on-error", "True")
	}
	return serve(s.Server, r)
}

// rowResult is a result as .NET's TransactionalBatchOperationResult reads it.
type rowResult struct {
	status, substatus int32
	etag, body        string
	charge            float64
}

func answered(t *testing.T, w *httptest.ResponseRecorder) (list []rowResult) {
	t.Helper()
	for body, err := range hybridrow.Records(w.Body.Bytes()) {
		require.NoError(t, err)
		row, err := answeredRow.Read(body)
		require.NoError(t, err)
		bits := uint64(0)
		for i, b := range row[5] {
			bits |= uint64(b) << (8 * i)
		}
		list = append(list, rowResult{row.Int32(0), row.Int32(1), row.Text(2), row.Text(3), math.Float64frombits(bits)})
	}
	return list
}

func rowStatuses(list []rowResult) (codes []int32) {
	for _, r := range list {
		codes = append(codes, r.status)
	}
	return codes
}

// The bytes were written by a program that knows the format by its description only, docs/Grammar.md and docs/RecordIO.md of
// github.com/microsoft/HybridRow: a create, a read, and a replace with ifMatch "x" that wants no document back.
func TestRecordedRows(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	request, err := hex.DecodeString("81f0d8ff7f010a000000" +
		"81f1d8ff7f2200000050ef47aa817054e17f430000000002000000137b226964223a2231222c22706b223a2261227d" +
		"81f1d8ff7f10000000d473e835817054e17f1302000000020000000131" +
		"81f1d8ff7f2c000000311efcbc817054e17f5305000000020000000131137b226964223a2231222c22706b223a2261227d140903227822030c")
	require.NoError(t, err)
	w := sendRows(t, s, `["a"]`, "", request)
	require.Equal(t, 207, w.Code)
	require.Equal(t, "81f0d8ff7f010a000000"+
		"81f1d8ff7f18000000e3c14e24817154e17f03a80100000000000010060000000000000000"+
		"81f1d8ff7f18000000e3c14e24817154e17f03a80100000000000010060000000000000000"+
		"81f1d8ff7f7b000000cc2b0974817154e17f0b9c01000000000000627b224572726f7273223a5b224f7065726174696f6e2063616e6e6f7420626520706572666f726d65642062656361757365206f6e65206f66207468652073706563696669656420707265636f6e646974696f6e206973206e6f74206d65742e225d7d1006d7a3703d0ad7f33f",
		hex.EncodeToString(w.Body.Bytes()))
	require.Empty(t, s.Documents("db", "c"))
	minimal := rowOperation(rowReplace, sentID, "1", sentBody, `{"id":"1","pk":"a"}`, sentMatch, `"x"`)
	minimal[sentMinimal] = []byte{1}
	require.Equal(t, request, stream(rowOperation(rowCreate, sentBody, `{"id":"1","pk":"a"}`), rowOperation(rowRead, sentID, "1"), minimal))
}

func TestRowsOfEveryOperation(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 4, "a")
	quiet := rowOperation(rowUpsert, sentBody, `{"id":"up","pk":"a"}`, sentIndexing, "Default")
	quiet[sentMinimal] = []byte{1}
	w := sendRows(t, s, `["a"]`, "", stream(
		rowOperation(rowCreate, sentBody, `{"id":"new","pk":"a"}`), quiet,
		rowOperation(rowReplace, sentID, "001", sentBody, `{"id":"001","pk":"a","n":1}`),
		rowOperation(rowDelete, sentID, "002"),
		rowOperation(rowPatch, sentID, "003", sentBody, `{"operations":[{"op":"add","path":"/n","value":7}],"condition":"from c where c.pending = true"}`),
		rowOperation(rowRead, sentID, "000")))
	require.Equal(t, 200, w.Code, w.Body)
	require.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
	require.NotEmpty(t, w.Header().Get("x-ms-session-token"))
	results := answered(t, w)
	require.Equal(t, []int32{201, 201, 200, 204, 200, 200}, rowStatuses(results))
	for i, id := range []string{"new", "", "001", "", "003", "000"} {
		require.Positive(t, results[i].charge)
		require.Equal(t, i == 3, results[i].etag == "", "only a deletion has no eTag")
		var body struct{ ID string }
		if id != "" {
			require.NoError(t, json.Unmarshal([]byte(results[i].body), &body))
		}
		require.Equal(t, id, body.ID)
		require.Equal(t, id == "", results[i].body == "")
	}
	w = sendRows(t, s, `["a"]`, "", stream(rowOperation(rowRead, sentID, "000"), rowOperation(rowRead, sentID, "000", sentNone, results[5].etag)))
	require.Equal(t, 207, w.Code, "BatchSinglePartitionKeyTests expects that of a document that the client has")
	results = answered(t, w)
	require.Equal(t, []int32{200, 304}, rowStatuses(results))
	require.Empty(t, results[1].body)
}

// What JSON is refused for, rows are refused for; the whole request in JSON, so that the client reads why.
func TestRefusedRows(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 2, "a")
	before := s.Documents("db", "c")
	unlike := func(change func(hybridrow.Row)) []byte {
		row := rowOperation(rowRead, sentID, "000")
		change(row)
		return stream(rowOperation(rowCreate, sentBody, `{"id":"x","pk":"a"}`), row)
	}
	for name, test := range map[string]struct {
		body []byte
		want []int32
	}{
		"conflict":       {stream(rowOperation(rowCreate, sentBody, `{"id":"x","pk":"a"}`), rowOperation(rowCreate, sentBody, `{"id":"001","pk":"a"}`), rowOperation(rowRead, sentID, "000")), []int32{424, 409, 424}},
		"not there":      {stream(rowOperation(rowRead, sentID, "none")), []int32{404}},
		"no id":          {stream(rowOperation(rowDelete)), []int32{400}},
		"no body":        {stream(rowOperation(rowCreate)), []int32{400}},
		"broken body":    {stream(rowOperation(rowCreate, sentBody, `{"id":"x","pk":"a"},{}`)), []int32{400}},
		"another key":    {stream(rowOperation(rowCreate, sentBody, `{"id":"x","pk":"b"}`)), []int32{400}},
		"unknown":        {unlike(func(r hybridrow.Row) { r.SetUint32(sentType, 15) }), []int32{424, 400}},
		"no type":        {unlike(func(r hybridrow.Row) { r[sentType] = nil }), []int32{424, 400}},
		"no document":    {unlike(func(r hybridrow.Row) { r.SetUint32(sentResource, 1) }), []int32{424, 400}},
		"hashed key":     {unlike(func(r hybridrow.Row) { r.SetBytes(sentEPK, []byte{1}) }), []int32{424, 400}},
		"life":           {unlike(func(r hybridrow.Row) { r.SetUint32(sentTTL, 5) }), []int32{424, 400}},
		"not indexed":    {unlike(func(r hybridrow.Row) { r.SetBytes(sentIndexing, []byte("Exclude")) }), []int32{424, 400}},
		"another, again": {unlike(func(r hybridrow.Row) { r.SetUint32(sentType, rowDelete); r.SetBytes(sentMatch, []byte(`"x"`)) }), []int32{424, 412}},
	} {
		w := sendRows(t, s, `["a"]`, "", test.body)
		require.Equal(t, 207, w.Code, name)
		results := answered(t, w)
		require.Equal(t, test.want, rowStatuses(results), name)
		for _, r := range results {
			require.Equal(t, r.status != 424, strings.HasPrefix(r.body, `{"Errors":["`), "%s: %s", name, r.body)
		}
		require.Equal(t, before, s.Documents("db", "c"), name)
	}
	many := make([]hybridrow.Row, 101)
	for i := range many {
		many[i] = rowOperation(rowRead, sentID, "000")
	}
	whole := stream(many[0])
	bent := bytes.Clone(whole)
	bent[len(bent)-1]++
	for name, body := range map[string][]byte{"none": stream(), "too many": stream(many...), "cut": whole[:len(whole)-1], "bent": bent, "half a segment": whole[:7]} {
		w := sendRows(t, s, `["a"]`, "", body)
		require.Equal(t, 400, w.Code, name)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"), name)
		require.True(t, json.Valid(w.Body.Bytes()), name)
	}
	require.Equal(t, 413, sendRows(t, s, `["a"]`, "", stream(rowOperation(rowCreate, sentBody, `{"id":"x","pk":"a","d":"`+strings.Repeat("x", 2<<20)+`"}`))).Code)
}

func TestBulkOfRows(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	create := func(id, key string) hybridrow.Row {
		return rowOperation(rowCreate, sentKey, `["`+key+`"]`, sentBody, `{"id":"`+id+`","pk":"`+key+`"}`)
	}
	quiet := rowOperation(rowRead, sentKey, `["a"]`, sentID, "1")
	quiet[sentMinimal] = []byte{1}
	w := sendRows(t, s, "", "0", stream(create("1", "a"), create("1", "b"), create("1", "a"), quiet,
		rowOperation(rowDelete, sentKey, `["a"]`, sentID, "9"), rowOperation(rowRead, sentKey, "oops", sentID, "1"),
		rowOperation(rowCreate, sentKey, `["b"]`, sentBody, `{"id":"2","pk":"a"}`)))
	require.Equal(t, 207, w.Code)
	results := answered(t, w)
	require.Equal(t, []int32{201, 201, 409, 200, 404, 400, 400}, rowStatuses(results))
	require.EqualValues(t, 1001, results[6].substatus)
	require.Contains(t, results[3].body, `"id":"1"`, "what is read is shown")
	require.Len(t, s.Documents("db", "c"), 2)
	w = sendRows(t, s, "", "7", stream(create("3", "a")))
	require.Equal(t, 410, w.Code, "the client reads the ranges again")
	require.Equal(t, "1002", w.Header().Get("x-ms-substatus"))
	require.NoError(t, s.Inject(Fault{On: OpBatch, Do: Throttle, Times: 1, Delay: Duration(30 * time.Millisecond)}))
	w = sendRows(t, s, "", "0", stream(create("3", "a")))
	require.Equal(t, 429, w.Code)
	require.Equal(t, "30", w.Header().Get("x-ms-retry-after-ms"))
}
