// Package versions_test runs today's code on what earlier releases have stored and sent:
// testdata has a folder for each, recorded once and never changed. A release whose encoding
// differs from the last folder gets one of its own, with
//
//	go test ./test/versions -record NAME
package versions_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/orders"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/profile"
)

var record = flag.String("record", "", "record what this version stores and sends, under this name")

const database, entities, views = "relaybox", "entities", "views"

// app is today's code on a store of its own.
type app struct {
	t      *testing.T
	server *minicosmos.Instance
	box    *cosmos.Outbox
	models *cosmos.Inbox
	mux    *azfunc.Mux
	kinds  *entity.Kinds
	in     *inbox.Inbox
}

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{t: t, server: minicosmos.RunT(t)}
	client := cosmos.Open(cosmos.Connection{ConnectionString: a.server.ConnectionString()}, cosmos.Options{})
	t.Cleanup(client.Close)
	require.NoError(t, client.EnsureContainers(t.Context(), database, entities, views))
	a.box = client.Outbox(database, entities, cosmos.OutboxOptions{})
	a.models = client.Inbox(database, views, cosmos.InboxOptions{})
	var err error
	a.kinds, err = entity.NewKinds(profile.Kind, orders.Kind)
	require.NoError(t, err)
	a.in = inbox.New(a.models, a.kinds.Apply, inbox.Options{Policy: inbox.Strict})
	deps := entity.Deps{Writer: outbox.NewWriter(a.box, outbox.WriterOptions{Source: "/relaybox"}), Reader: a.box, Kinds: a.kinds}
	a.mux = azfunc.NewMux(azfunc.MuxOptions{})
	profiles, err := profile.Kind.Resource(deps)
	require.NoError(t, err)
	made, err := orders.Kind.Resource(deps)
	require.NoError(t, err)
	a.mux.HandleRoute([]string{"get", "put", "patch", "delete"}, "api/profiles/{id}", profiles)
	a.mux.HandleRoute([]string{"get", "put", "patch", "delete", "post"}, "api/orders/{id}/{action?}", made)
	return a
}

func (a *app) must(status int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), method, "/api/"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, r)
	require.Equal(a.t, status, w.Code, w.Body.String())
	return w
}

// consume applies the pending events of a key and settles them.
func (a *app) consume(key string) inbox.Model {
	a.t.Helper()
	events, err := a.box.Pending(a.t.Context(), key, 0, 50)
	require.NoError(a.t, err)
	for _, e := range events {
		decoded, err := a.kinds.Event(e.Envelope, outbox.Session(key))
		require.NoError(a.t, err)
		_, err = a.in.Once(a.t.Context(), decoded)
		require.NoError(a.t, err)
	}
	m, err := a.models.Load(a.t.Context(), key)
	require.NoError(a.t, err)
	return m
}

// early applies one pending event of a key before its predecessor.
func (a *app) early(key string, seq int64) {
	a.t.Helper()
	events, err := a.box.Pending(a.t.Context(), key, seq-1, 1)
	require.NoError(a.t, err)
	decoded, err := a.kinds.Event(events[0].Envelope, outbox.Session(key))
	require.NoError(a.t, err)
	outcome, err := a.in.Once(a.t.Context(), decoded)
	require.NoError(a.t, err)
	require.Equal(a.t, inbox.Stored, outcome)
}

// load puts recorded documents into a container.
func (a *app) load(file, container string) {
	a.t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(a.t, err)
	var documents []map[string]any
	require.NoError(a.t, json.Unmarshal(text, &documents))
	here, err := a.box.Place(a.t.Context(), "any")
	require.NoError(a.t, err)
	client, err := azcosmos.NewClientFromConnectionString(a.server.ConnectionString(), nil)
	require.NoError(a.t, err)
	items, err := client.NewContainer(database, container)
	require.NoError(a.t, err)
	for _, doc := range documents {
		if doc["place"] != nil {
			doc["place"] = here.ID // as if the app had been updated where it runs
		}
		key, _ := doc["pk"].(string)
		text, err := json.Marshal(doc)
		require.NoError(a.t, err)
		_, err = items.CreateItem(a.t.Context(), azcosmos.NewPartitionKeyString(key), text, nil)
		require.NoError(a.t, err)
	}
}

// documents are those of a container without what the store adds.
func (a *app) documents(container string) []map[string]any {
	a.t.Helper()
	var all []map[string]any
	for _, text := range a.server.Documents(database, container) {
		var doc map[string]any
		require.NoError(a.t, json.Unmarshal(text, &doc))
		for _, name := range []string{"_rid", "_self", "_etag", "_attachments", "_ts"} {
			delete(doc, name)
		}
		all = append(all, doc)
	}
	return all
}

const bookOrder = `{"customer":"ada","lines":[{"sku":"book","quantity":2,"cents":1250}]}`

// TestRecord writes what the tests below start from: entities with events that were
// consumed, and some that were not.
func TestRecord(t *testing.T) {
	if *record == "" {
		t.Skip("only with -record")
	}
	a := newApp(t)
	a.must(201, http.MethodPut, "profiles/ada", `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
	a.must(201, http.MethodPut, "orders/ada", bookOrder)
	for _, key := range []string{"profile:ada", "order:ada"} {
		a.consume(key)
		events, err := a.box.Pending(t.Context(), key, 0, 50)
		require.NoError(t, err)
		require.NoError(t, a.box.Settle(t.Context(), key, events))
	}
	a.must(200, http.MethodPatch, "profiles/ada", `{"email":"ada@example.org"}`)
	a.early("profile:ada", 3)
	a.must(200, http.MethodPost, "orders/ada/ship", `{"carrier":"snail"}`)
	dir := filepath.Join("testdata", *record)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, container := range []string{entities, views} {
		text, err := json.MarshalIndent(a.documents(container), "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, container+".json"), append(text, '\n'), 0o644))
	}
}

func TestEarlierReleases(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.load(filepath.Join(dir, entities+".json"), entities)
			a.load(filepath.Join(dir, views+".json"), views)

			seen := a.must(200, http.MethodGet, "profiles/ada", "")
			require.Contains(t, seen.Body.String(), `"displayName":"Ada","email":"ada@example.org"`)
			a.must(304, http.MethodGet, "profiles/ada", "", "If-None-Match", seen.Header().Get("ETag"))
			again := a.must(201, http.MethodPut, "profiles/ada", `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
			require.Contains(t, again.Body.String(), `"version":1`, "the receipt of the earlier release")
			a.must(200, http.MethodPatch, "profiles/ada", `{"bio":"Countess"}`, "If-Match", seen.Header().Get("ETag"))
			a.must(409, http.MethodPost, "orders/ada/cancel", `{"reason":"late"}`)

			m := a.consume("profile:ada")
			require.EqualValues(t, 4, m.LastSeq, "3 events of the earlier release, 1 of today")
			require.JSONEq(t, `{"id":"ada","state":{"displayName":"Ada","email":"ada@example.org","bio":"Countess"},
				"view":{"applied":{"created":1,"updated":2,"email-changed":1}}}`, string(m.Data))
			m = a.consume("order:ada")
			require.EqualValues(t, 2, m.LastSeq)
			require.Contains(t, string(m.Data), `"due":2500`)

			bus := &outboxtest.MemPublisher{}
			_, err := outbox.NewDispatcher(a.box, bus, outbox.DispatcherOptions{}).Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, []int64{2, 3, 4}, bus.Seqs("profile:ada"), "what was pending goes out, in order")
		})
	}
}

// TestTheEncodingIsTheNewestRecord fails when documents get or lose members without a
// folder of their own: then an earlier version would meet something that nobody has tried.
func TestTheEncodingIsTheNewestRecord(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	a := newApp(t)
	a.must(201, http.MethodPut, "profiles/ada", `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
	a.consume("profile:ada")
	a.must(200, http.MethodPatch, "profiles/ada", `{"email":"ada@example.org"}`)
	a.early("profile:ada", 3)
	for _, container := range []string{entities, views} {
		text, err := os.ReadFile(filepath.Join(dirs[len(dirs)-1], container+".json"))
		require.NoError(t, err)
		var recorded []map[string]any
		require.NoError(t, json.Unmarshal(text, &recorded))
		require.Equal(t, shapes(recorded), shapes(a.documents(container)), "%s: record this version, see the package's comment", container)
	}
}

// shapes are the members of each sort of document of the profile, by path.
func shapes(documents []map[string]any) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, doc := range documents {
		if doc["pk"] != "profile:ada" {
			continue
		}
		kind, _ := doc["kind"].(string)
		if all[kind] == nil {
			all[kind] = map[string]bool{}
		}
		paths(doc, "", all[kind])
	}
	return all
}

func paths(doc map[string]any, at string, into map[string]bool) {
	for name, value := range doc {
		if name == "detail" {
			continue // the kind's own
		}
		into[at+name] = true
		if inner, ok := value.(map[string]any); ok {
			paths(inner, at+name+".", into)
		}
	}
}
