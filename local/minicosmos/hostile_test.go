package minicosmos

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// What is refused stores nothing, and says what is wrong.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	create := func(body string) (int, string) {
		r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", strings.NewReader(body), time.Now())
		r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
		w := serve(s.Server, r)
		requireShape(t, w, map[int]string{400: "BadRequest", 413: "RequestEntityTooLarge"}[w.Code])
		return w.Code, w.Body.String()
	}
	for name, c := range map[string]struct {
		body string
		code int
		says string
	}{
		"deep":              {`{"id":"1","pk":"a","d":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400, "nest"},
		"deep objects":      {`{"id":"1","pk":"a","d":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `}`, 400, "nest"},
		"bad UTF-8":         {"{\"id\":\"1\",\"pk\":\"a\",\"d\":\"\xff\xfe\"}", 400, "UTF-8"},
		"a cut character":   {"{\"id\":\"\xe2\x82\",\"pk\":\"a\"}", 400, "UTF-8"},
		"two documents":     {`{"id":"1","pk":"a"}{"id":"2","pk":"a"}`, 400, "JSON"},
		"no document":       {`"1"`, 400, "object"},
		"no id":             {`{"pk":"a"}`, 400, "'id'"},
		"an id of 1024":     {`{"id":"` + strings.Repeat("x", 1024) + `","pk":"a"}`, 400, "1023"},
		"a number as id":    {`{"id":1,"pk":"a"}`, 400, "'id'"},
		"another key":       {`{"id":"1","pk":"b"}`, 400, "PartitionKey"},
		"a number too big":  {`{"id":"1","pk":"a","n":1e999}`, 400, "number"},
		"control character": {"{\"id\":\"a\nb\",\"pk\":\"a\"}", 400, "JSON"},
		"a ttl of words":    {`{"id":"1","pk":"a","ttl":"soon"}`, 400, "ttl"},
		"3 MB":              {`{"id":"1","pk":"a","d":"` + strings.Repeat("x", 3<<20) + `"}`, 413, "2 MB"},
	} {
		code, text := create(c.body)
		require.Equal(t, c.code, code, "%s: %s", name, text)
		require.Contains(t, text, c.says, name)
		require.Less(t, len(text), 2000, name)
	}
	require.Empty(t, s.Documents("db", "c"))
	require.NoError(t, s.Check())
}

// Ids and paths that try to leave their container find nothing there.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	for _, id := range []string{"..", "%2e%2e", "..%2f..%2f..", "%252e%252e", "a%00b", "%5c..%5c", "1%20", "1?x=y", "%ff", "1%2f..%2f1"} {
		r := signed(t, "GET", "/", "docs", "dbs/db/colls/c/docs/"+id, nil, time.Now())
		target, err := url.ParseRequestURI("/dbs/db/colls/c/docs/" + id)
		require.NoError(t, err)
		r.URL = target
		r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
		w := serve(s.Server, r)
		require.GreaterOrEqual(t, w.Code, 400, "%s: %s", id, w.Body)
		require.Less(t, w.Code, 500, id)
	}
}

// Slow clients and big bodies hold a bounded amount of memory, and others are served meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	addr := strings.TrimPrefix(s.URL, "http://")
	var slow []net.Conn
	for i := range 200 {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		slow = append(slow, conn)
		switch i % 3 {
		case 0: // says nothing
		case 1:
			_, err = io.WriteString(conn, "POST /dbs/db/colls/c/docs HTTP/1.1\r\nHost: x\r\nx-ms-")
		case 2: // promises 2 MB with a wrong signature
			_, err = io.WriteString(conn, "POST /dbs/db/colls/c/docs HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\nAuthorization: type=master\r\n\r\n{")
		}
		require.NoError(t, err)
	}
	for i := range 50 {
		put(t, c, "a", fmt.Sprint(i), i)
	}
	require.True(t, s.memory.TryAcquire(wire.MaxBodies), "who is not let in holds no memory for a body")
	s.memory.Release(wire.MaxBodies)
	for _, conn := range slow {
		require.NoError(t, conn.Close())
	}
}

// Many big requests at once wait for one another instead of filling the memory.
func TestBigRequestsAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	body := []byte(`{"id":"1","pk":"a","d":"` + strings.Repeat("x", 1<<20) + `"}`)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			r := signed(t, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", bytes.NewReader(body), time.Now())
			r.Header.Set("x-ms-documentdb-partitionkey", `["a"]`)
			r.Header.Set("x-ms-documentdb-is-upsert", "True")
			if w := serve(s.Server, r); w.Code != 200 && w.Code != 201 {
				t.Error(w.Code, w.Body)
			}
		})
	}
	all.Wait()
	require.True(t, s.memory.TryAcquire(wire.MaxBodies), "all of it was given back")
	s.memory.Release(wire.MaxBodies)
}

// TestCorpora: each fuzz target of what strangers send has a corpus of its own.
func TestCorpora(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"sql/testdata/fuzz/FuzzParse", "internal/document/testdata/fuzz/FuzzPatch", "partition/testdata/fuzz/FuzzHeader"} {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(files), 3, dir)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.True(t, utf8.Valid(text) && bytes.HasPrefix(text, []byte("go test fuzz v1\n")), file)
		}
	}
}
