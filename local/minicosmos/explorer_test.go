package minicosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// TestExplorer: a person finds containers, and asks across ranges what a client would put together, page by page.
func TestExplorer(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, azcosmos.ContainerProperties{ID: "things", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		func(o *Options) { o.Ranges = 3 })
	for i := range 150 {
		_, err := c.CreateItem(context.Background(), pk(fmt.Sprint("k", i%7)), doc(t, map[string]any{"id": fmt.Sprint(i), "pk": fmt.Sprint("k", i%7), "n": 1<<53 + int64(i)}), nil)
		require.NoError(t, err)
	}
	get := func(path string, into any) int {
		resp, err := http.Get(s.URL + explorerPath + path)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		if into != nil {
			require.NoError(t, json.Unmarshal(text, into), "%s", text)
		}
		return resp.StatusCode
	}
	for _, file := range []string{"/", "/explorer.css", "/explorer.js"} {
		require.Equal(t, 200, get(file, nil), file)
	}
	var places []struct {
		Database, Container string
		Definition          struct{ ID string }
	}
	require.Equal(t, 200, get("/containers", &places))
	require.Len(t, places, 1)
	require.Equal(t, "db", places[0].Database)
	require.Equal(t, "things", places[0].Container)
	require.Equal(t, "things", places[0].Definition.ID)

	type answer struct {
		Rows         []string
		Next, Error  string
		Looked       int
		RequestUnits float64
	}
	ask := func(query, from string) (int, answer) {
		var a answer
		status := get("/query?"+url.Values{"database": {"db"}, "container": {"things"}, "query": {query}, "from": {from}}.Encode(), &a)
		return status, a
	}
	status, a := ask("SELECT VALUE c.n FROM c ORDER BY c.n DESC", "")
	require.Equal(t, 200, status)
	require.Len(t, a.Rows, 100)
	require.Equal(t, fmt.Sprint(1<<53+149), a.Rows[0], "not rounded")
	status, b := ask("SELECT VALUE c.n FROM c ORDER BY c.n DESC", a.Next)
	require.Equal(t, 200, status)
	require.Len(t, b.Rows, 50)
	require.Empty(t, b.Next)
	require.Equal(t, fmt.Sprint(int64(1<<53)), b.Rows[49])
	_, a = ask("SELECT COUNT(1) AS n FROM c", "")
	require.Equal(t, []string{"{\n  \"n\": 150\n}"}, a.Rows)
	require.Equal(t, 150, a.Looked)
	require.Greater(t, a.RequestUnits, 7.0)
	status, a = ask("SELECT * FROM c WHERE", "")
	require.Equal(t, 400, status)
	require.Contains(t, a.Error, "Syntax error")
	require.Equal(t, 404, get("/query?database=db&container=none&query=SELECT+1", nil))

	resp, err := http.Post(s.URL+explorerPath+"/query", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+explorerPath+"/containers", nil)
	require.NoError(t, err)
	req.Host = "evil.example"
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
}
