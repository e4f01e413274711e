package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/hostile"
)

// raw is exchange with the host.
func (s *system) raw(method string, request []byte) (*http.Response, []byte, error) {
	return exchange(strings.TrimPrefix(s.HostURL, "http://"), method, request)
}

// exchange sends bytes on a connection of their own, all of them before it reads, as many
// clients do, and returns the answer.
func exchange(addr, method string, request []byte) (*http.Response, []byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = conn.Close() }() // what it carried was read
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil || answer.StatusCode >= 200 {
			if err != nil {
				return nil, nil, err
			}
			body, err := io.ReadAll(answer.Body)
			return answer, body, err
		}
	}
}

// entities are the versions of all entities in the store.
func (s *system) entities() map[string]string {
	all := map[string]string{}
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_OUTBOX_CONTAINER"]) {
		var doc struct {
			ID, PK  string
			Version int64
			Deleted bool
			Data    json.RawMessage
		}
		require.NoError(s.t, json.Unmarshal(text, &doc))
		if doc.ID == "entity" && doc.Version > 0 {
			all[doc.PK] = fmt.Sprintf("%d %v %s", doc.Version, doc.Deleted, doc.Data)
		}
	}
	return all
}

// TestHostileRequests sends the table through the host and the real handler. "Nothing is
// stored unless acknowledged" is looked up in the store itself.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.record = nil // what goes out raw would be missing in it
	for n, c := range hostile.Requests() {
		for _, state := range []string{"absent", "exists"} {
			if _, differs := c.Wants["exists"]; state == "exists" && !differs {
				continue
			}
			name := fmt.Sprintf("%s, %s", c.Name, state)
			id, etag := fmt.Sprintf("h-%d-%s", n, state), `"1-none"`
			c := c.Named(id)
			if state == "exists" {
				path, body := "profiles/"+id, `{"displayName":"Grace"}`
				if strings.Contains(c.Target, "/orders/") {
					path, body = "orders/"+id, `{"customer":"c-1","lines":[{"sku":"a","quantity":1,"cents":5}]}`
				}
				etag = s.must(http.StatusCreated, "PUT", path, body).etag
			}
			before := s.entities()
			answer, body, err := s.raw(c.Method, c.Bytes("localhost", etag))
			require.NoError(t, err, name)
			want, hosts := c.Wants["host"]
			if !hosts {
				want = c.Want(state)
			}
			assert.NoError(t, want.Check(answer.StatusCode, answer.Header, bytes.NewReader(body)), name)
			if answer.StatusCode >= 300 || c.Method == http.MethodGet {
				require.Equal(t, before, s.entities(), "%s: stored without being acknowledged", name)
			} else if c.Method != http.MethodGet {
				assert.True(t, len(s.entities()) > len(before) || state == "exists", "%s: acknowledged and not stored", name)
			}
		}
	}
	s.nothingDeadLettered()
}

// TestAnOversizeBodyIsRefusedEveryTime: an answer given over the body's head got lost on its way through the host.
func TestAnOversizeBodyIsRefusedEveryTime(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := hostile.Case{Method: http.MethodPut, Target: "/api/profiles/p-1", Body: strings.Repeat(" ", 5<<20), HasBody: true}
	for range 20 {
		answer, body, err := s.raw(c.Method, c.Bytes("localhost", ""))
		require.NoError(t, err)
		require.NoError(t, hostile.Want{Status: http.StatusRequestEntityTooLarge, Kind: "body-too-large", Says: "262144"}.Check(answer.StatusCode, answer.Header, bytes.NewReader(body)))
	}
	require.Empty(t, s.entities())
}

// TestNothingIsSmuggled: behind a request that can be read in two ways stands a write. Whatever is answered, it is not
// carried out, and the connection ends.
func TestNothingIsSmuggled(t *testing.T) {
	t.Parallel()
	s := start(t)
	const (
		good     = `{"displayName":"Mallory"}`
		smuggled = "PUT /api/profiles/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n" + good
		put      = "PUT /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	)
	for name, first := range map[string]string{
		"length and chunked":       put + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":       put + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two lengths":              put + "Content-Length: 0\r\nContent-Length: 25\r\n\r\n",
		"the same length twice":    put + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"a list of lengths":        put + "Content-Length: 0, 25\r\n\r\n",
		"a signed length":          put + "Content-Length: +0\r\n\r\n",
		"a negative length":        put + "Content-Length: -1\r\n\r\n",
		"a length in hexadecimal":  put + "Content-Length: 0x0\r\n\r\n",
		"a space before the colon": put + "Content-Length : 25\r\n\r\n",
		"a folded length":          put + "X: 1\r\n Content-Length: 25\r\n\r\n",
		"a lone LF":                put + "X: 1\nContent-Length: 0\r\n\r\n",
		"a lone CR":                put + "X: 1\rContent-Length: 0\r\n\r\n",
		"lone LFs only":            "GET /api/profiles/p-1 HTTP/1.1\nHost: localhost\n\n",
		"a NUL in a value":         put + "X: \x00\r\n\r\n",
		"no name":                  put + ": 1\r\n\r\n",
		"chunked twice":            put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked before identity":  put + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"nearly chunked":           put + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"chunked after a tab":      put + "Transfer-Encoding:\tchunked, gzip\r\n\r\n0\r\n\r\n",
		"chunked in HTTP/1.0":      strings.Replace(put, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a chunk that ends in LF":  put + "Transfer-Encoding: chunked\r\n\r\n0\n\r\n",
		"a signed chunk":           put + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
		"a chunk of words":         put + "Transfer-Encoding: chunked\r\n\r\nzero\r\n\r\n",
		"an endless chunk":         put + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n\r\n",
		"two hosts":                put + "Host: evil.example\r\n\r\n",
		"no host":                  "PUT /api/profiles/p-1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"a target elsewhere":       "PUT http://evil.example/api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"a target without a slash": "PUT api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"a target of an authority": "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
		"HTTP/0.9":                 "GET /api/profiles/p-1\r\n\r\n",
		"HTTP/2":                   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a giant header":           put + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"many headers":             put + strings.Repeat("X: 1\r\n", 101) + "\r\n",
		"a giant target":           "PUT /" + strings.Repeat("a", 16<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.HostURL, "http://"))
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, first+smuggled)
		if err != nil {
			require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), "%s: %v", name, err)
		}
		answers, err := io.ReadAll(conn) // to the end of the connection
		if err != nil {
			require.ErrorIs(t, err, syscall.ECONNRESET, "%s: %s", name, answers)
		}
		require.NoError(t, conn.Close())
		require.LessOrEqual(t, bytes.Count(answers, []byte("HTTP/1.1 ")), 1, "%s: %s", name, answers)
		require.NotContains(t, string(answers), "HTTP/1.1 2", name)
		require.Empty(t, s.entities(), name)
	}
}
