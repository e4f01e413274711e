package minicosmos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

func TestDatabasesAndContainers(t *testing.T) {
	t.Parallel()
	s := RunT(t)
	client, ctx := connect(t, s.ConnectionString()), context.Background()
	created, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.NoError(t, err)
	require.NotEmpty(t, created.DatabaseProperties.ResourceID)
	_, err = client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.Equal(t, http.StatusConflict, status(t, err))
	db, err := client.NewDatabase("db")
	require.NoError(t, err)
	_, err = db.Read(ctx, nil)
	require.NoError(t, err)

	made, err := db.CreateContainer(ctx, outboxLike("c"), nil)
	require.NoError(t, err)
	_, err = db.CreateContainer(ctx, outboxLike("c"), nil)
	require.Equal(t, http.StatusConflict, status(t, err))
	c, err := db.NewContainer("c")
	require.NoError(t, err)
	read, err := c.Read(ctx, nil)
	require.NoError(t, err)
	require.NotEmpty(t, read.ETag)
	echoed := *read.ContainerProperties
	require.Equal(t, outboxLike("c").PartitionKeyDefinition, echoed.PartitionKeyDefinition)
	completed := *outboxLike("c").IndexingPolicy
	completed.IndexingMode = "consistent"
	completed.ExcludedPaths = append(completed.ExcludedPaths, azcosmos.ExcludedPath{Path: `/"_etag"/?`})
	require.Equal(t, &completed, echoed.IndexingPolicy, "as the service completes it")
	require.EqualValues(t, -1, *echoed.DefaultTimeToLive)
	require.NotEmpty(t, echoed.SelfLink)

	pager := client.NewQueryDatabasesPager("SELECT * FROM c WHERE c.id = 'db'", nil)
	page, err := pager.NextPage(ctx)
	require.NoError(t, err)
	require.Len(t, page.Databases, 1)
	containers, err := db.NewQueryContainersPager("SELECT * FROM c", nil).NextPage(ctx)
	require.NoError(t, err)
	require.Len(t, containers.Containers, 1)

	fill(t, c, 3, "a")
	_, err = c.Delete(ctx, nil)
	require.NoError(t, err)
	_, err = c.Read(ctx, nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = c.CreateItem(ctx, pk("a"), []byte(`{"id":"1","pk":"a"}`), nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
	again, err := db.CreateContainer(ctx, outboxLike("c"), nil)
	require.NoError(t, err)
	require.NotEqual(t, made.ContainerProperties.ResourceID, again.ContainerProperties.ResourceID, "a _rid per incarnation")
	require.Empty(t, s.Documents("db", "c"))

	_, err = db.Delete(ctx, nil)
	require.NoError(t, err)
	_, err = db.Read(ctx, nil)
	require.Equal(t, http.StatusNotFound, status(t, err))
}

func TestReplaceContainerRebuildsIndexes(t *testing.T) {
	t.Parallel()
	_, c := startContainer(t, azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: outboxLike("").PartitionKeyDefinition, IndexingPolicy: &azcosmos.IndexingPolicy{
		IncludedPaths: []azcosmos.IncludedPath{{Path: "/*"}}, ExcludedPaths: []azcosmos.ExcludedPath{{Path: "/pending/?"}}}})
	fill(t, c, 30, "a")
	n, found := looked(t, c, "SELECT * FROM c WHERE c.pending = true", everywhere)
	require.Equal(t, []int{30, 10}, []int{n, found})
	_, err := c.Replace(context.Background(), outboxLike("c"), nil)
	require.NoError(t, err)
	n, found = looked(t, c, "SELECT * FROM c WHERE c.pending = true", everywhere)
	require.Equal(t, []int{10, 10}, []int{n, found})

	_, err = c.UpsertItem(context.Background(), pk("a"), doc(t, m{"id": "027", "pk": "a"}), nil) // one of the last; RunT checks the entries
	require.NoError(t, err)
	n, found = looked(t, c, "SELECT * FROM c WHERE c.pending = true", everywhere)
	require.Equal(t, []int{9, 9}, []int{n, found})

	other := outboxLike("c")
	other.PartitionKeyDefinition.Paths = []string{"/other"}
	_, err = c.Replace(context.Background(), other, nil)
	require.Equal(t, http.StatusBadRequest, status(t, err))
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	ctx := context.Background()
	for id, ttl := range map[string]any{"short": 1, "long": 1000, "never": -1} {
		_, err := c.CreateItem(ctx, pk("a"), doc(t, m{"id": id, "pk": "a", "ttl": ttl, "pending": true}), nil)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { // one second has to pass: there is no other signal
		_, err := c.ReadItem(ctx, pk("a"), "short", nil)
		return status(t, err) == http.StatusNotFound
	}, time.Minute, 20*time.Millisecond)
	found, err := query(t, c, "SELECT VALUE c.id FROM c WHERE c.pending = true", everywhere, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{`"long"`, `"never"`}, found)
	require.Len(t, s.Documents("db", "c"), 2)
	_, err = c.ReplaceItem(ctx, pk("a"), "short", []byte(`{"id":"short","pk":"a"}`), nil)
	require.Equal(t, http.StatusNotFound, status(t, err))

	internal, bad := s.account.Container("db", "c")
	require.Nil(t, bad)
	expired, err := s.account.Expired(internal, time.Now().Unix())
	require.NoError(t, err)
	require.Len(t, expired, 1, "invisible, not yet purged")
	_, err = c.CreateItem(ctx, pk("a"), []byte(`{"id":"short","pk":"a"}`), nil)
	require.NoError(t, err, "the id is free again")
	require.NoError(t, s.account.Purge(internal, time.Now().Add(time.Hour).Unix()))
	require.Len(t, s.Documents("db", "c"), 2, "long is purged")
	_, err = c.CreateItem(ctx, pk("a"), []byte(`{"id":"long","pk":"a"}`), nil)
	require.NoError(t, err, "and its id is free")
	require.NoError(t, s.Check())
}

// The account names the host that the client used, over either scheme.
func TestAccountEchoesHost(t *testing.T) {
	t.Parallel()
	s := RunT(t)
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	config := &tls.Config{Certificates: secure.TLS.Certificates}
	secure.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.ServeTLS(l, config) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	for _, endpoint := range []string{s.URL, "https://" + l.Addr().String()} {
		r := signed(t, "GET", endpoint+"/", "", "", nil, time.Now())
		r.RequestURI = ""
		response, err := (&http.Client{Transport: transport}).Do(r)
		require.NoError(t, err)
		var account struct {
			WritableLocations, ReadableLocations []struct{ DatabaseAccountEndpoint string }
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&account))
		require.NoError(t, response.Body.Close())
		require.Equal(t, endpoint+"/", account.WritableLocations[0].DatabaseAccountEndpoint)
		require.Equal(t, endpoint+"/", account.ReadableLocations[0].DatabaseAccountEndpoint)

		client, err := azcosmos.NewClientFromConnectionString(s.Server.ConnectionString(endpoint),
			&azcosmos.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}}})
		require.NoError(t, err)
		_, err = client.CreateDatabase(context.Background(), azcosmos.DatabaseProperties{ID: strings.ReplaceAll(endpoint, "/", "-")}, nil)
		require.NoError(t, err)
	}
}

func TestRangeFeed(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 2 })
	get := func(etag string) *httptest.ResponseRecorder {
		r := signed(t, "GET", "/dbs/db/colls/c/pkranges", "pkranges", "dbs/db/colls/c", nil, time.Now())
		r.Header.Set("If-None-Match", etag)
		return serve(s.Server, r)
	}
	first := get("")
	require.Equal(t, http.StatusOK, first.Code)
	var list struct {
		PartitionKeyRanges []struct{ ID, MinInclusive, MaxExclusive string }
	}
	require.NoError(t, json.Unmarshal(first.Body.Bytes(), &list))
	require.Equal(t, []struct{ ID, MinInclusive, MaxExclusive string }{
		{"0", "", "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"}, {"1", "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "FF"}}, list.PartitionKeyRanges)
	second := get(first.Header().Get("Etag"))
	require.Equal(t, http.StatusNotModified, second.Code)
	require.Equal(t, first.Header().Get("Etag"), second.Header().Get("Etag"))
}
