package minicosmos

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

var withBody = &azcosmos.ItemOptions{EnableContentResponseOnWrite: true}

func ifMatch(etag azcore.ETag) *azcosmos.ItemOptions {
	return &azcosmos.ItemOptions{IfMatchEtag: &etag}
}

func TestPointOperations(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	ctx := context.Background()

	created, err := c.CreateItem(ctx, pk("a"), doc(t, m{"id": "1", "pk": "a", "n": 1, "_etag": "mine", "_ts": 5}), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.RawResponse.StatusCode)
	require.Empty(t, created.Value, "return=minimal")
	require.NotEmpty(t, created.ETag)
	require.Positive(t, created.RequestCharge)
	require.NotEmpty(t, created.ActivityID)
	require.Equal(t, "0:0#1#0=1", *created.SessionToken)

	_, err = c.CreateItem(ctx, pk("a"), doc(t, m{"id": "1", "pk": "a"}), nil)
	require.Equal(t, http.StatusConflict, status(t, err))
	_, err = c.CreateItem(ctx, pk("b"), doc(t, m{"id": "1", "pk": "b"}), nil)
	require.NoError(t, err, "an id is unique only inside a partition key")

	read, err := c.ReadItem(ctx, pk("a"), "1", nil)
	require.NoError(t, err)
	var stored m
	require.NoError(t, json.Unmarshal(read.Value, &stored))
	require.Equal(t, string(created.ETag), stored["_etag"])
	require.Equal(t, created.ETag, read.ETag)
	for _, name := range document.SystemProperties {
		require.Contains(t, stored, name)
	}
	_, err = c.ReadItem(ctx, pk("a"), "none", nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = c.ReadItem(ctx, pk("c"), "1", nil)
	require.Equal(t, http.StatusNotFound, status(t, err), "another partition key")

	replaced, err := c.ReplaceItem(ctx, pk("a"), "1", doc(t, m{"id": "1", "pk": "a", "n": 2}), ifMatch(read.ETag))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, replaced.RawResponse.StatusCode)
	_, err = c.ReplaceItem(ctx, pk("a"), "1", doc(t, m{"id": "1", "pk": "a", "n": 3}), ifMatch(read.ETag))
	require.Equal(t, http.StatusPreconditionFailed, status(t, err))
	_, err = c.ReplaceItem(ctx, pk("a"), "none", doc(t, m{"id": "none", "pk": "a"}), nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = c.ReplaceItem(ctx, pk("a"), "1", doc(t, m{"id": "2", "pk": "a"}), nil)
	require.Equal(t, http.StatusBadRequest, status(t, err))

	upserted, err := c.UpsertItem(ctx, pk("a"), doc(t, m{"id": "1", "pk": "a", "n": 4}), withBody)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, upserted.RawResponse.StatusCode)
	require.Contains(t, string(upserted.Value), `"n":4`)
	upserted, err = c.UpsertItem(ctx, pk("a"), doc(t, m{"id": "2", "pk": "a"}), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, upserted.RawResponse.StatusCode)
	_, err = c.UpsertItem(ctx, pk("a"), doc(t, m{"id": "1", "pk": "a"}), ifMatch(read.ETag))
	require.Equal(t, http.StatusPreconditionFailed, status(t, err))

	_, err = c.DeleteItem(ctx, pk("a"), "1", ifMatch(read.ETag))
	require.Equal(t, http.StatusPreconditionFailed, status(t, err))
	deleted, err := c.DeleteItem(ctx, pk("a"), "1", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, deleted.RawResponse.StatusCode)
	_, err = c.DeleteItem(ctx, pk("a"), "1", nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"not JSON":        {`{"id":"1","pk":"a"`, http.StatusBadRequest},
		"not an object":   {`["id"]`, http.StatusBadRequest},
		"no id":           {`{"pk":"a"}`, http.StatusBadRequest},
		"id not a string": {`{"id":1,"pk":"a"}`, http.StatusBadRequest},
		"id too long":     {`{"id":"` + strings.Repeat("x", 1024) + `","pk":"a"}`, http.StatusBadRequest},
		"other key":       {`{"id":"1","pk":"b"}`, http.StatusBadRequest},
		"no key":          {`{"id":"1"}`, http.StatusBadRequest},
		"key not scalar":  {`{"id":"1","pk":{"a":1}}`, http.StatusBadRequest},
		"ttl zero":        {`{"id":"1","pk":"a","ttl":0}`, http.StatusBadRequest},
		"ttl text":        {`{"id":"1","pk":"a","ttl":"5"}`, http.StatusBadRequest},
		"invalid UTF-8":   {"{\"id\":\"\xff\",\"pk\":\"a\"}", http.StatusBadRequest},
		"too deep":        {`{"id":"1","pk":"a","d":` + deep + `}`, http.StatusBadRequest},
		"too large":       {`{"id":"1","pk":"a","d":"` + strings.Repeat("x", 2<<20) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		_, err := c.CreateItem(context.Background(), pk("a"), []byte(test.body), nil)
		require.Equal(t, test.status, status(t, err), name)
		require.Contains(t, err.Error(), `"code"`, name)
	}
}

func TestPartitionKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	for body, key := range map[string]azcosmos.PartitionKey{
		`"plain"`:              pk("plain"),
		`"Łódź"`:               pk("Łódź"),
		`"😀"`:                  pk("😀"),
		`"bell \u0007 \u007f"`: pk("bell \a \x7f"),
		`"\"quoted\" \\ /"`:    pk(`"quoted" \ /`),
		`""`:                   pk(""),
		`12.5`:                 azcosmos.NewPartitionKeyNumber(12.5),
		`true`:                 azcosmos.NewPartitionKeyBool(true),
		`null`:                 azcosmos.NullPartitionKey,
	} {
		_, err := c.CreateItem(context.Background(), key, []byte(`{"id":"1","pk":`+body+`}`), nil)
		require.NoError(t, err, body)
		_, err = c.ReadItem(context.Background(), key, "1", nil)
		require.NoError(t, err, body)
		found, err := query(t, c, "SELECT VALUE c.pk FROM c ORDER BY c.id", key, nil)
		require.NoError(t, err)
		require.Len(t, found, 1, body)
		require.JSONEq(t, body, found[0])
	}
	_, err := c.CreateItem(context.Background(), pk("bad \xff"), []byte(`{"id":"1","pk":"bad"}`), nil)
	require.Equal(t, http.StatusBadRequest, status(t, err))
	_, err = c.CreateItem(context.Background(), pk("a").AppendString("b"), []byte(`{"id":"1","pk":"a"}`), nil)
	require.Equal(t, http.StatusBadRequest, status(t, err))
	_, err = c.CreateItem(context.Background(), pk(strings.Repeat("x", 2049)), []byte(`{"id":"1","pk":"a"}`), nil)
	require.Equal(t, http.StatusBadRequest, status(t, err))
}

// The expectations are those of azcosmos's TestItemIdEncodingRoutingGW.
func TestDocumentIDs(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	for id, wanted := range map[string]int{
		"This is a test": 0, " Test": 0, "With,=.:~+-@()^${}[]!_Chars": 0, "Disallowed?Chars": 0, "Unicode鱀": 0, "50%": 0,
		"Test ": 401, "a%20": 401, "%E9%B1%80": 401, "a/b": 401, `a\b`: 401, "a#b": 401, "../x": 401,
		"tab\t": 400, "line\n": 400, "return\r": 400,
	} {
		_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": id, "pk": "a"}), nil)
		require.NoError(t, err, "%q", id)
		_, err = c.ReadItem(context.Background(), pk("a"), id, nil)
		require.Equal(t, wanted, status(t, err), "%q", id)
		_, err = c.DeleteItem(context.Background(), pk("a"), id, nil)
		require.Equal(t, wanted, status(t, err), "%q", id)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	ctx := context.Background()
	_, err := c.CreateItem(ctx, pk("a"), []byte(`{"id":"1","pk":"a","n":1,"tags":["x","z"],"o":{"p":1},"pending":true}`), nil)
	require.NoError(t, err)

	var p azcosmos.PatchOperations
	p.SetCondition("from c where c.pending = true")
	p.AppendIncrement("/n", 2)
	p.AppendAdd("/tags/1", "y")
	p.AppendAdd("/tags/-", "end")
	p.AppendReplace("/o/p", "new")
	p.AppendSet("/o/q", true)
	p.AppendRemove("/pending")
	patched, err := c.PatchItem(ctx, pk("a"), "1", p, withBody)
	require.NoError(t, err)
	var got m
	require.NoError(t, json.Unmarshal(patched.Value, &got))
	require.EqualValues(t, 3, got["n"])
	require.Equal(t, []any{"x", "y", "z", "end"}, got["tags"])
	require.Equal(t, m{"p": "new", "q": true}, got["o"])
	require.NotContains(t, got, "pending")

	_, err = c.PatchItem(ctx, pk("a"), "1", p, nil)
	require.Equal(t, http.StatusPreconditionFailed, status(t, err), "the condition holds no more")
	for name, change := range map[string]func(*azcosmos.PatchOperations){
		"remove what is missing":  func(p *azcosmos.PatchOperations) { p.AppendRemove("/pending") },
		"replace what is missing": func(p *azcosmos.PatchOperations) { p.AppendReplace("/none", 1) },
		"set below nothing":       func(p *azcosmos.PatchOperations) { p.AppendSet("/none/x", 1) },
		"increment a string":      func(p *azcosmos.PatchOperations) { p.AppendIncrement("/o/p", 1) },
		"id":                      func(p *azcosmos.PatchOperations) { p.AppendSet("/id", "2") },
		"partition key":           func(p *azcosmos.PatchOperations) { p.AppendSet("/pk", "b") },
		"system property":         func(p *azcosmos.PatchOperations) { p.AppendSet("/_ts", 1) },
		"index out of range":      func(p *azcosmos.PatchOperations) { p.AppendAdd("/tags/9", 1) },
		"no value":                func(p *azcosmos.PatchOperations) { p.AppendSet("/x", nil) },
		"not a pointer":           func(p *azcosmos.PatchOperations) { p.AppendSet("x", 1) },
		"eleven operations": func(p *azcosmos.PatchOperations) {
			for range 11 {
				p.AppendIncrement("/n", 1)
			}
		},
		"condition with a fault": func(p *azcosmos.PatchOperations) { p.SetCondition("where x"); p.AppendSet("/x", 1) },
	} {
		var p azcosmos.PatchOperations
		change(&p)
		_, err := c.PatchItem(ctx, pk("a"), "1", p, nil)
		require.Equal(t, http.StatusBadRequest, status(t, err), name)
	}
	var set azcosmos.PatchOperations
	set.AppendSet("/x", 1)
	_, err = c.PatchItem(ctx, pk("a"), "none", set, nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = c.PatchItem(ctx, pk("a"), "1", set, ifMatch(`"stale"`))
	require.Equal(t, http.StatusPreconditionFailed, status(t, err))
}

// A patch cannot nest a document so deeply that nothing can read its container any more.
func TestPatchBeyondTheDepth(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, outboxLike("c"))
	ctx := context.Background()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "{}" + strings.Repeat(`}`, n) }
	_, err := c.CreateItem(ctx, pk("a"), []byte(`{"id":"1","pk":"a","a":`+deep(100)+`}`), nil)
	require.NoError(t, err)
	var p azcosmos.PatchOperations
	p.AppendAdd(strings.Repeat("/a", 102), json.RawMessage(deep(100)))
	_, err = c.PatchItem(ctx, pk("a"), "1", p, nil)
	require.Equal(t, 400, status(t, err))
	found, err := query(t, c, "SELECT VALUE c.id FROM c", pk("a"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{`"1"`}, found)
}
