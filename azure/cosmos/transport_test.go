package cosmos

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// TestNoDiagnostics: the SDK puts none together for what succeeds.
func TestNoDiagnostics(t *testing.T) {
	t.Parallel()
	c := Open(Connection{ConnectionString: testConnection}, Options{Transport: &script{replies: []reply{{status: 200, body: `{}`}}}})
	err := c.container("db", "c").do(t.Context(), op{"read", "k"}, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.ReadItem(ctx, azcosmos.NewPartitionKeyString("k"), "id", nil)
		require.Empty(t, r.Diagnostics.String())
		return err
	})
	require.NoError(t, err)
}

// contexts is a transport that remembers under which context it was asked for what.
type contexts map[string]context.Context

func (c contexts) Do(req *http.Request) (*http.Response, error) {
	c[req.URL.Path] = req.Context()
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

type sdkKey struct{}

// TestAccountIsReadForAll: a call that ends does not end the read of the account that it has
// brought about, but its own request.
func TestAccountIsReadForAll(t *testing.T) {
	t.Parallel()
	seen := contexts{}
	pipeline := runtime.NewPipeline("", "", runtime.PipelineOptions{}, &policy.ClientOptions{Transport: seen, PerCallPolicies: []policy.Policy{plain{}}})
	ctx, cancel := context.WithCancel(t.Context())
	under := context.WithValue(&exchange{Context: ctx}, sdkKey{}, "the SDK's")
	for path, ctx := range map[string]context.Context{"/": context.WithoutCancel(under), "/dbs": under} {
		req, err := runtime.NewRequest(ctx, http.MethodGet, "http://localhost"+path)
		require.NoError(t, err)
		_, err = pipeline.Do(req)
		require.NoError(t, err)
	}
	cancel()
	require.NoError(t, seen["/"].Err())
	require.ErrorIs(t, seen["/dbs"].Err(), context.Canceled)
	require.Nil(t, seen["/dbs"].Value(sdkKey{}))
}

// TestOnePiece: a batch of a few kilobytes goes out in one write, headers included.
func TestOnePiece(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	var writes atomic.Int32
	transport := pooledTransport(nil)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		return countedConn{conn, &writes}, err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(make([]byte, 10<<10)))
	require.NoError(t, err)
	req.Header.Set("Authorization", string(bytes.Repeat([]byte("x"), 2<<10)))
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.EqualValues(t, 1, writes.Load())
	transport.CloseIdleConnections()
}

type countedConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}
