package minicosmos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What clients find on every answer: Microsoft's page "Common Azure Cosmos DB REST response headers".
func TestCommonHeaders(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	rids := ridsOf(t, s.Server)
	const database, container = "dbs/db", "dbs/db/colls/c"
	always := []string{"Content-Type", "x-ms-activity-id", "x-ms-request-charge", "x-ms-schemaversion", "x-ms-serviceversion", "x-ms-gatewayversion"}
	keyed := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	asQuery := []string{"x-ms-documentdb-isquery", "true", "x-ms-documentdb-query-enablecrosspartition", "true"}
	for _, test := range []struct {
		method, path, kind, link, body string
		headers                        []string
		status                         int
		owner                          string   // x-ms-alt-content-path
		also                           []string // headers
	}{
		{"GET", "/", "", "", "", nil, 200, "", nil},
		{"GET", "/dbs", "dbs", "", "", nil, 200, "", []string{"x-ms-item-count"}},
		{"GET", "/dbs/db", "dbs", database, "", nil, 200, "", []string{"Etag"}},
		{"GET", "/dbs/none", "dbs", "dbs/none", "", nil, 404, "", nil},
		{"GET", "/dbs/db/colls", "colls", database, "", nil, 200, database, []string{"x-ms-item-count"}},
		{"POST", "/dbs/db/colls", "colls", database, `{"id":"d","partitionKey":{"paths":["/pk"]}}`, nil, 201, database, []string{"Etag"}},
		{"GET", "/dbs/db/colls/c", "colls", container, "", nil, 200, database, []string{"Etag"}},
		{"GET", "/dbs/db/colls/c/pkranges", "pkranges", container, "", nil, 200, container, []string{"Etag", "x-ms-item-count"}},
		{"GET", "/dbs/db/colls/c/conflicts", "conflicts", container, "", nil, 200, container, []string{"x-ms-item-count"}},
		{"GET", "/dbs/db/colls/c/docs", "docs", container, "", nil, 200, container, []string{"x-ms-item-count", "x-ms-session-token", "lsn"}},
		{"GET", "/dbs/db/colls/c/docs", "docs", container, "", []string{"A-IM", "Incremental Feed"}, 200, container, []string{"Etag", "x-ms-item-count", "x-ms-session-token"}},
		{"GET", "/dbs/db/colls/c/docs", "docs", container, "", []string{"A-IM", "Incremental Feed", "If-None-Match", "*"}, 304, container, []string{"Etag", "x-ms-session-token"}},
		{"POST", "/dbs/db/colls/c/docs", "docs", container, `{"query":"SELECT * FROM c"}`, asQuery, 200, container, []string{"x-ms-item-count", "x-ms-session-token"}},
		{"POST", "/dbs/db/colls/c/docs", "docs", container, `{"query":"SELECT TOP 1 * FROM c"}`, asQuery, 400, container, []string{"x-ms-substatus"}},
		{"POST", "/dbs/db/colls/c/docs", "docs", container, `{"query":"SELECT * FROM c"}`, []string{asPlan, "True"}, 200, container, nil},
		{"POST", "/dbs/db/colls/c/docs", "docs", container, `{"id":"2","pk":"a"}`, keyed, 201, container, []string{"Etag", "x-ms-session-token", "lsn"}},
		{"POST", "/dbs/db/colls/c/docs", "docs", container, `{"id":"2","pk":"a"}`, keyed, 409, container, []string{"x-ms-session-token"}},
		{"GET", "/dbs/db/colls/c/docs/1", "docs", container + "/docs/1", "", keyed, 200, container, []string{"Etag", "x-ms-session-token"}},
		{"GET", "/dbs/db/colls/c/docs/none", "docs", container + "/docs/none", "", keyed, 404, container, []string{"x-ms-session-token"}},
		{"PUT", "/dbs/db/colls/c/docs/1", "docs", container + "/docs/1", `{"id":"1","pk":"a"}`, append([]string{"If-Match", `"x"`}, keyed...), 412, container, []string{"x-ms-session-token"}},
		{"DELETE", "/dbs/db/colls/c/docs/2", "docs", container + "/docs/2", "", keyed, 204, container, []string{"x-ms-session-token"}},
		{"GET", "/dbs/" + rids[0] + "/colls/" + rids[1] + "/pkranges", "pkranges", strings.ToLower(rids[1]), "", nil, 200, container, []string{"Etag"}},
		{"GET", "/offers", "offers", "", "", nil, 200, "", []string{"x-ms-item-count"}},
		{"PATCH", "/dbs/db", "dbs", database, "", nil, 405, "", nil},
		{"GET", "/nothing", "", "", "", nil, 400, "", nil},
	} {
		r := signed(t, test.method, test.path, test.kind, test.link, strings.NewReader(test.body), time.Now())
		for i := 0; i < len(test.headers); i += 2 {
			r.Header.Set(test.headers[i], test.headers[i+1])
		}
		w := serve(s.Server, r)
		name := fmt.Sprint(test.method, " ", test.path, " ", test.headers)
		require.Equal(t, test.status, w.Code, "%s: %s", name, w.Body)
		for _, header := range append(always, test.also...) {
			require.NotEmpty(t, w.Header().Get(header), "%s: %s", name, header)
		}
		require.Equal(t, test.owner, w.Header().Get("x-ms-alt-content-path"), name)
		require.Equal(t, test.owner != "", w.Header().Get("x-ms-content-path") != "", name)
	}
	r := signed(t, "GET", "/dbs", "dbs", "", nil, time.Now())
	r.Header.Set("x-ms-activity-id", "mine")
	require.Equal(t, "mine", serve(s.Server, r).Header().Get("x-ms-activity-id"))
}

// ridsOf are the resource ids of the database, the container and its first document.
func ridsOf(t *testing.T, s *Server) (list []string) {
	t.Helper()
	for _, part := range []struct{ path, kind, link, list string }{
		{"/dbs", "dbs", "", "Databases"}, {"/dbs/db/colls", "colls", "dbs/db", "DocumentCollections"}, {"/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "Documents"},
	} {
		var feed map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(serve(s, signed(t, "GET", part.path, part.kind, part.link, nil, time.Now())).Body.Bytes(), &feed))
		var members []struct {
			RID string `json:"_rid"`
		}
		require.NoError(t, json.Unmarshal(feed[part.list], &members))
		list = append(list, members[0].RID)
	}
	return list
}

// Java addresses everything by resource ids, Python what it is given by _self.
func TestByResourceIDs(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 3 })
	put(t, c, "a", "one", 0)
	rids := ridsOf(t, s.Server)
	database, container := "/dbs/"+rids[0], "/dbs/"+rids[0]+"/colls/"+rids[1]
	send := func(method, path, kind, rid, body string) *httptest.ResponseRecorder {
		r := signed(t, method, path, kind, strings.ToLower(rid), strings.NewReader(body), time.Now())
		r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
		return serve(s.Server, r)
	}
	require.Contains(t, send("GET", database+"/", "dbs", rids[0], "").Body.String(), `"id":"db"`)
	require.Contains(t, send("GET", database+"/colls/", "colls", rids[0], "").Body.String(), `"id":"c"`)
	require.Contains(t, send("GET", container, "colls", rids[1], "").Body.String(), `"id":"c"`)
	require.Contains(t, send("GET", "/dbs/db/colls/"+rids[1], "colls", rids[1], "").Body.String(), "payload to sign", "a name beside a resource id is none")
	require.Equal(t, 200, send("GET", container+"/docs/"+rids[2]+"/", "docs", rids[2], "").Code)
	require.Equal(t, 201, send("POST", container+"/docs", "docs", rids[1], `{"id":"two","pk":"a"}`).Code)
	require.Equal(t, 200, send("PUT", container+"/docs/"+rids[2], "docs", rids[2], `{"id":"one","pk":"a","n":1}`).Code)
	require.Equal(t, 204, send("DELETE", container+"/docs/"+rids[2], "docs", rids[2], "").Code)
	require.Equal(t, 404, send("DELETE", container+"/docs/"+rids[2], "docs", rids[2], "").Code)
	require.Len(t, s.Documents("db", "c"), 1)
	issued := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"nbf":%d,"exp":%d}`, time.Now().Unix(), time.Now().Add(time.Hour).Unix())
	for _, path := range []string{container, "/dbs/db/colls/" + rids[1], "/dbs/" + rids[0] + "/colls/c", "/dbs/db/colls/c"} { // a token signs no path
		r := signed(t, "GET", path, "", "", nil, time.Now())
		r.Header.Set("Authorization", "type=aad&ver=1.0&sig="+issued([]byte(`{}`))+"."+issued([]byte(claims))+"."+issued([]byte(EmulatorKey)))
		require.Contains(t, serve(s.Server, r).Body.String(), `"id":"c"`, path)
	}
	for _, charge := range s.Charges() {
		require.NotEqual(t, rids[1], charge.Container, "what it costs is counted by name")
	}
	require.Equal(t, 401, send("GET", container, "colls", rids[0], "").Code, "another signature")
	require.Equal(t, 404, send("GET", "/dbs/AAAAAA==/colls/"+rids[1], "colls", rids[1], "").Code, "another database")
}

// What a replica that lags does not have has not been seen in the newest state.
func TestSessionOfARefusal(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	require.NoError(t, s.Inject(Fault{Do: Stale, Delay: Duration(time.Hour)}))
	put(t, c, "a", "1", 0)
	read := func() *httptest.ResponseRecorder {
		r := signed(t, "GET", "/dbs/db/colls/c/docs/1", "docs", "dbs/db/colls/c/docs/1", nil, time.Now())
		r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
		return serve(s.Server, r)
	}
	w := read()
	require.Equal(t, 404, w.Code)
	require.Equal(t, "0:0#0#0=0", w.Header().Get("x-ms-session-token"))
	s.ClearFaults()
	require.Equal(t, "0:0#1#0=1", read().Header().Get("x-ms-session-token"))
}

func TestNotSupportedHere(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	for _, kind := range []string{"sprocs", "triggers", "udfs", "conflicts"} {
		w := ask(t, s.Server, "GET", kind, "")
		require.Equal(t, 200, w.Code, kind)
		require.Contains(t, w.Body.String(), `":[],"_count":0}`)
		require.Equal(t, 200, ask(t, s.Server, "POST", kind, `{"query":"SELECT * FROM c"}`, "Content-Type", "application/query+json").Code)
		w = ask(t, s.Server, "POST", kind, `{"id":"x","body":"function() {}"}`)
		require.Equal(t, 405, w.Code, kind)
		require.Contains(t, w.Body.String(), "not supported here")
		link := "dbs/db/colls/c/" + kind + "/x"
		for _, method := range []string{"GET", "PUT", "DELETE", "POST"} {
			require.Equal(t, 404, serve(s.Server, signed(t, method, "/"+link, kind, link, strings.NewReader("[]"), time.Now())).Code, "%s %s", method, kind)
		}
	}
	for _, test := range []struct {
		method, path, kind, link string
		status                   int
	}{
		{"POST", "/dbs/db/colls/c/operations/partitionkeydelete", "colls", "dbs/db/colls/c", 405},
		{"GET", "/dbs/db/users", "users", "dbs/db", 200},
		{"POST", "/dbs/db/users", "users", "dbs/db", 405},
		{"GET", "/dbs/db/users/u", "users", "dbs/db/users/u", 404},
		{"GET", "/dbs/db/users/u/permissions", "permissions", "dbs/db/users/u", 404},
		{"POST", "/dbs/db/users/u/permissions", "permissions", "dbs/db/users/u", 404},
		{"GET", "/dbs/none/users", "users", "dbs/none", 404},
		{"GET", "/dbs/db/colls/none/sprocs", "sprocs", "dbs/db/colls/none", 404},
	} {
		w := serve(s.Server, signed(t, test.method, test.path, test.kind, test.link, strings.NewReader("{}"), time.Now()))
		require.Equal(t, test.status, w.Code, "%s %s: %s", test.method, test.path, w.Body)
	}
}

// A header that changes what a request means is honoured or refused.
func TestHeadersThatMean(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	keyed := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	n := 0
	create := func(header, value string) int {
		n++
		return ask(t, s.Server, "POST", "docs", fmt.Sprintf(`{"id":"%d","pk":"a"}`, n), append(keyed, header, value)...).Code
	}
	for header, value := range map[string]string{
		"x-ms-documentdb-pre-trigger-include": "t", "x-ms-documentdb-post-trigger-include": "t", "x-ms-indexing-directive": "Exclude",
		"x-ms-documentdb-content-serialization-format": "CosmosBinary", "x-ms-enumeration-direction": "Reverse", "x-ms-cosmos-intended-collection-rid": "AAAAAA==",
		"x-ms-documentdb-populatepartitionstatistics": "True",
	} {
		require.Equal(t, 400, create(header, value), header)
	}
	require.Empty(t, s.Documents("db", "c"))
	for header, value := range map[string]string{
		"x-ms-documentdb-pre-trigger-include": "", "x-ms-indexing-directive": "Include", "x-ms-documentdb-content-serialization-format": "JsonText",
		"x-ms-enumeration-direction": "Forward", "x-ms-cosmos-intended-collection-rid": containerRID(t, s.Server),
	} {
		require.Equal(t, 201, create(header, value), header)
	}
	for _, id := range []string{"d", "e"} {
		body := `{"id":"` + id + `","partitionKey":{"paths":["/pk"]}}`
		require.Equal(t, 201, serve(s.Server, signed(t, "POST", "/dbs/db/colls", "colls", "dbs/db", strings.NewReader(body), time.Now())).Code)
	}
	for next, pages := "", 1; ; pages++ {
		r := signed(t, "GET", "/dbs/db/colls", "colls", "dbs/db", nil, time.Now())
		r.Header.Set("x-ms-max-item-count", "1")
		r.Header.Set("x-ms-continuation", next)
		w := serve(s.Server, r)
		require.Equal(t, "1", w.Header().Get("x-ms-item-count"))
		if next = w.Header().Get("x-ms-continuation"); next == "" {
			require.Equal(t, 3, pages)
			break
		}
	}
}

// Clients pass 0 on where their user has said it. A container says what it holds when it is asked for that.
func TestHarmlessHeaders(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	fill(t, c, 3, "a")
	for _, count := range []string{"0", "-1", "2147483647"} {
		require.Contains(t, ask(t, s.Server, "GET", "docs", "", "x-ms-max-item-count", count).Body.String(), `"_count":3}`, count)
		require.Equal(t, 200, ask(t, s.Server, "GET", "docs", "", "A-IM", "Incremental Feed", "x-ms-max-item-count", count).Code, count)
	}
	read := func(value string) http.Header {
		r := signed(t, "GET", "/dbs/db/colls/c", "colls", "dbs/db/colls/c", nil, time.Now())
		r.Header.Set("x-ms-documentdb-populatequotainfo", value)
		w := serve(s.Server, r)
		require.Equal(t, 200, w.Code)
		return w.Header()
	}
	require.Contains(t, read("True").Get("x-ms-resource-usage"), "documentsCount=3;")
	require.NotEmpty(t, read("True").Get("x-ms-resource-quota"))
	require.Empty(t, read("False").Get("x-ms-resource-usage"))
}

// containerRID is the resource id of the container, which may be empty.
func containerRID(t *testing.T, s *Server) string {
	t.Helper()
	var c struct {
		RID string `json:"_rid"`
	}
	require.NoError(t, json.Unmarshal(serve(s, signed(t, "GET", "/dbs/db/colls/c", "colls", "dbs/db/colls/c", nil, time.Now())).Body.Bytes(), &c))
	return c.RID
}

// The change feed in the form that a header asks for.
func TestChangeFeedForms(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	const header = "x-ms-cosmos-changefeed-wire-format-version"
	w := ask(t, s.Server, "GET", "docs", "", "A-IM", "Incremental Feed", header, "2021-09-15")
	require.Equal(t, 200, w.Code)
	var page struct {
		Documents []struct {
			Current  m
			Metadata struct{ LSN, CRTS int64 }
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Equal(t, "1", page.Documents[0].Current["id"])
	require.Equal(t, int64(1), page.Documents[0].Metadata.LSN)
	require.InDelta(t, time.Now().Unix(), page.Documents[0].Metadata.CRTS, 5)
	require.Equal(t, 400, ask(t, s.Server, "GET", "docs", "", "A-IM", "Incremental Feed", header, "2030-01-01").Code)
	require.NotContains(t, ask(t, s.Server, "GET", "docs", "", "A-IM", "Incremental Feed").Body.String(), `"current"`)
}

// Enums come as texts in any case and as numbers; what is left out is completed; what would not be done is refused.
func TestSettingsOfContainers(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	n := 0
	create := func(settings string) (int, m) {
		n++
		body := fmt.Sprintf(`{"id":"c%d",%s}`, n, settings)
		w := serve(s.Server, signed(t, "POST", "/dbs/db/colls", "colls", "dbs/db", strings.NewReader(body), time.Now()))
		var answer m
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		return w.Code, answer
	}
	const pk = `"partitionKey":{"paths":["/pk"]}`
	for settings, want := range map[string]string{
		`"partitionKey":{"paths":["/a","/b"],"kind":"MultiHash","version":"V2"}`:                                        `{"partitionKey":{"paths":["/a","/b"],"kind":"MultiHash","version":2}}`,
		`"partitionKey":{"paths":["/a"],"kind":"hash","version":"V1"}`:                                                  `{"partitionKey":{"paths":["/a"],"kind":"Hash","version":1}}`,
		`"partitionKey":{"paths":["/a","/b"],"kind":2,"version":"2"}`:                                                   `{"partitionKey":{"paths":["/a","/b"],"kind":"MultiHash","version":2}}`,
		`"partitionKey":{"paths":["/\"le vel\"/\"a/b\""]}`:                                                              `{"partitionKey":{"paths":["/\"le vel\"/\"a/b\""],"kind":"Hash"}}`,
		pk + `,"indexingPolicy":{}`:                                                                                     `{"indexingPolicy":{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/\"_etag\"/?"}]}}`,
		pk + `,"indexingPolicy":{"indexingMode":"Consistent","excludedPaths":[{"path":"/x/*"}]}`:                        `{"indexingPolicy":{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/x/*"},{"path":"/\"_etag\"/?"}]}}`,
		pk + `,"indexingPolicy":{"indexingMode":2,"automatic":false}`:                                                   `{"indexingPolicy":{"indexingMode":"none","automatic":false}}`,
		pk + `,"conflictResolutionPolicy":{"mode":"LastWriterWins"}`:                                                    `{"conflictResolutionPolicy":{"mode":"LastWriterWins"}}`,
		pk + `,"computedProperties":[],"geospatialConfig":{"type":"Geography"},"_docs":"docs/","changeFeedPolicy":null`: `{}`,
	} {
		code, got := create(settings)
		require.Equal(t, 201, code, "%s: %v", settings, got)
		var wanted m
		require.NoError(t, json.Unmarshal([]byte(want), &wanted))
		for name, value := range wanted {
			require.Equal(t, value, got[name], settings)
		}
	}
	for settings, want := range map[string]string{
		`"partitionKey":{"paths":["/a"],"version":"V3"}`:                 "a version that is 1 or 2",
		`"partitionKey":{"paths":["/\"a"]}`:                              "path",
		pk + `,"geospatialConfig":{"type":"Geometry"}`:                   "geospatialConfig",
		pk + `,"analyticalStorageTtl":-1`:                                "analyticalStorageTtl",
		pk + `,"changeFeedPolicy":{"retentionDuration":60}`:              "changeFeedPolicy",
		pk + `,"materializedViewDefinition":{"sourceCollectionRid":"x"}`: "materializedViewDefinition",
		pk + `,"ttl":5`: `no setting \"ttl\"`,
	} {
		code, got := create(settings)
		require.Equal(t, 400, code, settings)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		require.Contains(t, strings.ReplaceAll(string(text), `\\\"`, `\"`), want, settings)
	}
}

// Members of a patch operation that are not its own are ignored.
func TestPatchIgnoresForeignMembers(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": "1", "pk": "a", "gone": 1, "list": []int{1, 2}, "n": 1, "from": "x"}), nil)
	require.NoError(t, err)
	r := signed(t, http.MethodPatch, "/dbs/db/colls/c/docs/1", "docs", "dbs/db/colls/c/docs/1", strings.NewReader(`{"condition":null,"operations":[
		{"op":"remove","path":"/gone","value":null},
		{"op":"remove","path":"/list/0","value":7,"from":"/n"},
		{"op":"add","path":"/list/0","value":9,"from":"/n"},
		{"op":"incr","path":"/n","value":2,"from":"/list"},
		{"op":"move","path":"/to","from":"/from","value":"y"},
		{"op":"set","path":"/set","value":null,"from":"/n","extra":true}]}`), time.Now())
	r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
	w := serve(s.Server, r)
	require.Equal(t, 200, w.Code, w.Body)
	var got m
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	for name := range got {
		if name[0] == '_' {
			delete(got, name)
		}
	}
	require.Equal(t, m{"id": "1", "pk": "a", "list": []any{9.0, 2.0}, "n": 3.0, "to": "x", "set": nil}, got)
	r = signed(t, http.MethodPatch, "/dbs/db/colls/c/docs/1", "docs", "dbs/db/colls/c/docs/1", strings.NewReader(`{"condition":7,"operations":[{"op":"remove","path":"/n"}]}`), time.Now())
	r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
	require.Equal(t, 400, serve(s.Server, r).Code, "a condition that is none is not passed over")
}
