package minihost

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the web server refuses by itself, and what it lets through.
func TestServerEdges(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	get := func(rest string) string {
		return "GET /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\n" + rest + "\r\n"
	}
	for name, c := range map[string]struct{ raw, status string }{
		"no host":                 {"GET /api/profiles/p-1 HTTP/1.1\r\n\r\n", "400"},
		"two hosts":               {get("Host: y\r\n"), "400"},
		"no such version":         {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", "505"},
		"no version":              {"GET /\r\n\r\n", "400"},
		"bad method":              {"G{T / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		"bad header":              {get("no colon\r\n"), "400"},
		"header name with space":  {get("X Y: 1\r\n"), "400"},
		"latin-1 header":          {get("X-Name: \xe6\r\n"), "400"},
		"bytes outside ASCII":     {"GET /api/profiles/\xc3\x86 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		"bad length":              {get("Content-Length: -1\r\n"), "400"},
		"huge length":             {get("Content-Length: 104857601\r\n"), "413"},
		"long target":             {"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "414"},
		"large head":              {get("X: " + strings.Repeat("a", 50000) + "\r\n"), "431"},
		"too many headers":        {get(strings.Repeat("X: 1\r\n", 101)), "431"},
		"unknown coding":          {get("Transfer-Encoding: gzip\r\n"), "400"},
		"chunked":                 {"PUT /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "500"},
		"absolute form":           {"GET http://localhost/api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"},
		"asterisk":                {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		"empty host":              {"GET /api/profiles/p-1 HTTP/1.1\r\nHost:\r\n\r\n", "500"},
		"ping":                    {"GET /admin/host/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"},
		"list":                    {"GET /ADMIN/Functions HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"},
		"home":                    {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"},
		"home by post":            {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "404"},
		"administrative, no path": {"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		"not admin at all":        {"GET /administrator HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		"run with an object":      {"POST /admin/functions/ReadProfile HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"input\":{}}", "400"},
		"run of an HTTP function": {"POST /admin/functions/ReadProfile HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "202"},
		"run of nothing":          {"POST /admin/functions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "404"},
		"run of nothing, slash":   {"POST /admin/functions/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "404"},
		"list, other method":      {"DELETE /admin/functions HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		"run of an empty name":    {"POST /admin/functions//status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "404"},
		"host without a question": {"POST /admin/host HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "404"},
		"lone LF":                 {"GET /api/profiles/p-1 HTTP/1.1\nHost: localhost\n\n", "400"},
		"lone LF in the head":     {get("X: 1\nY: 2\r\n"), "400"},
		"lone CR in a value":      {get("X: 1\rY: 2\r\n"), "400"},
		"folded header":           {get("X: 1\r\n  2\r\n"), "400"},
		"space before the colon":  {get("Content-Length : 5\r\n"), "400"},
		"two lengths":             {get("Content-Length: 0\r\nContent-Length: 5\r\n"), "400"},
		"the same length twice":   {get("Content-Length: 0\r\nContent-Length: 0\r\n"), "400"},
		"a list of lengths":       {get("Content-Length: 0, 0\r\n"), "400"},
		"length with a sign":      {get("Content-Length: +0\r\n"), "400"},
		"length in hexadecimal":   {get("Content-Length: 0x0\r\n"), "400"},
		"empty length":            {get("Content-Length:\r\n"), "400"},
		"endless length":          {get("Content-Length: 99999999999999999999\r\n"), "400"},
		"chunked is not last":     {get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), "400"},
		"chunked twice":           {get("Transfer-Encoding: chunked, chunked\r\n"), "400"},
		"not quite chunked":       {get("Transfer-Encoding: xchunked\r\n"), "400"},
		"chunked, quoted":         {get("Transfer-Encoding: \"chunked\"\r\n"), "400"},
		"chunked in HTTP/1.0":     {"PUT /api/profiles/p-1 HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"absolute, another host":  {"GET http://evil.example/api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		"empty lines in front":    {"\r\n\r\n" + get(""), "200"},
	} {
		status, _, _ := exchangeRaw(t, s.addr, c.raw)
		require.Equal(t, c.status, status, name)
	}
}

// Pipelined requests and a body nobody reads do not break the connection.
func TestServerKeepsConnections(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	c, err := net.Dial("tcp4", s.addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"+
		"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"+
		"PUT /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"+
		"GET /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(c)
	var statuses []int
	for range 4 {
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		statuses = append(statuses, res.StatusCode)
	}
	require.Equal(t, []int{404, 404, 200, 200}, statuses)
	_, err = r.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestServerEndsWhatIsAmbiguous: what follows is not read as a request, because somebody on
// the way may have taken it for the body (RFC 9112 §6.3).
func TestServerEndsWhatIsAmbiguous(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	const smuggled = "GET /api/profiles/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, c := range map[string]struct{ raw, status string }{
		"length and chunked": {"PUT /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "500"},
		"chunked and length": {"PUT /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "404"},
		"chunk ends in LF":   {"PUT /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n", "404"},
		"two lengths":        {"PUT /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp4", s.addr)
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.WriteString(conn, c.raw+smuggled)
			require.NoError(t, err)
			all, err := io.ReadAll(conn)
			if err != nil {
				require.ErrorIs(t, err, syscall.ECONNRESET, "what was not read is answered with a reset")
			}
			require.Equal(t, 1, strings.Count(string(all), "HTTP/1.1 "), string(all))
			require.Contains(t, string(all), "HTTP/1.1 "+c.status+" ")
			require.Contains(t, string(all), "Connection: close\r\n")
		})
	}
	for _, r := range s.handler.requests() {
		require.NotContains(t, r.line, "smuggled")
	}
}

// TestServerIsNoWebPages: a page whose name resolves to this machine reads no profile and runs no function.
func TestServerIsNoWebPages(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok, func(o *Options) { o.Hosts = []string{"devbox.example"} })
	for _, request := range []string{
		"GET /api/profiles/p-1 HTTP/1.1\r\nHost: %s\r\n\r\n",
		"PUT /api/profiles/p-1 HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
		"GET /admin/functions HTTP/1.1\r\nHost: %s\r\n\r\n",
	} {
		for _, host := range []string{"evil.example", "evil.example:7071", "localhost.evil.example", "127.0.0.1.evil.example"} {
			status, _, body := exchangeRaw(t, s.addr, fmt.Sprintf(request, host))
			require.Equal(t, "403", status, host)
			require.Contains(t, body, "localhost", "the remedy")
		}
		require.Empty(t, s.handler.requests())
		for _, host := range []string{"localhost", "localhost:7071", "127.0.0.1:7071", "[::1]:7071", "192.168.1.5:7071", "devbox.example"} {
			status, _, _ := exchangeRaw(t, s.addr, fmt.Sprintf(request, host))
			require.Equal(t, "200", status, host)
		}
		s.handler.script(ok)
	}
	status, _, _ := exchangeRaw(t, s.addr, "POST /admin/functions/ReadProfile HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	require.Equal(t, "403", status)
}

func TestForwardedAnswersThatBreak(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	for name, answer := range map[string]string{
		"cut short":     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab",
		"bad chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"bad status":    "HTTP/1.1 abc OK\r\n\r\n",
		"bad length":    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"half a header": "HTTP/1.1 200 OK\r\nContent-",
		"not ASCII":     "HTTP/1.1 200 OK\r\nX-Name: Ærø\r\nContent-Length: 0\r\n\r\n",
	} {
		s.handler.script(func(seen) string { return cutCommand + answer })
		status, _, _ := exchangeRaw(t, s.addr, "GET /api/profiles/p-1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.Equal(t, "500", status, name)
		require.Len(t, s.handler.requests(), 1, "an answer that has begun is not asked for again")
	}
	s.handler.script(func(seen) string {
		return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	})
	status, body := s.get(t, "GET", "/api/profiles/p-1", "")
	require.Equal(t, 200, status)
	require.Equal(t, "ok", body)
}

func TestAuth(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, forwardOn, ""), "Open/function.json": readJSON,
		"Locked/function.json": strings.Replace(strings.Replace(readJSON, "anonymous", "function", 1), "profiles/{id}", "locked", 1)}
	s := start(t, files, ok, func(o *Options) { o.EnableAuth, o.MasterKey = true, "secret" })
	for _, c := range []struct{ target, header, status string }{
		{"/api/profiles/p-1", "", "200"},
		{"/api/locked", "", "401"},
		{"/api/locked", "x-functions-key: wrong\r\n", "401"},
		{"/api/locked", "x-functions-key: secret\r\n", "200"},
		{"/api/locked?code=secret", "", "200"},
		{"/api/locked?code=secret", "x-functions-key: wrong\r\n", "401"},
		{"/admin/host/status", "", "401"},
		{"/admin/host/status", "x-functions-key: secret\r\n", "200"},
		{"/admin/host/ping", "", "200"},
	} {
		status, _, _ := exchangeRaw(t, s.addr, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", c.target, c.header))
		require.Equal(t, c.status, status, "%s %s", c.target, c.header)
	}
}

func TestForwardHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	status, _, _ := exchangeRaw(t, s.addr, "PUT /api/profiles/p-1 HTTP/1.1\r\nhost: localhost\r\nx-lower: a\r\nX-Lower: b\r\nCookie: a=1\r\nCookie: b=2\r\n"+
		"Expires: 0\r\nAllow: GET\r\nContent-Language: da\r\nX-Empty:\r\ncontent-type: text/plain;charset=x\r\nContent-Length: 2\r\n\r\nhi")
	require.Equal(t, "200", status)
	got := s.handler.requests()[0].fields
	for name, want := range map[string]string{"x-lower": "a, b", "Cookie": "a=1; b=2", "X-Empty": "", "content-type": "text/plain; charset=x"} {
		v, found := got.Get(name)
		require.True(t, found, name)
		require.Equal(t, want, v)
	}
	for _, name := range []string{"Expires", "Allow", "Content-Language"} {
		require.False(t, got.Has(name), name)
	}
	require.Equal(t, "x-lower", got[1].Name, "names keep the client's case")
}
