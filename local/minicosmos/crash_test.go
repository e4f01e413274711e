package minicosmos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// crashDir makes the test binary a server on that directory instead of running tests.
const crashDir = "MINICOSMOS_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	return s.Serve(l)
}

// spawn starts the test binary as a server and returns its endpoint.
func spawn(t *testing.T, dir string) (process *exec.Cmd, url string) {
	t.Helper()
	process = exec.Command(os.Args[0], "-test.run=^$")
	process.Env = append(os.Environ(), crashDir+"="+dir)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Kill() // it may be dead already
		_ = process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server did not start: the store is damaged, or an invariant is broken")
	return process, strings.TrimSpace(line)
}

// ledger is what the clients of a store were told: batches that were stored, and the last that each client saw of its
// own entity.
type ledger struct {
	dir string

	mu       sync.Mutex
	batches  []string    // "<key>/<name>"
	entities map[int]int // by worker
	patched  map[int]int // by worker: patches that were acknowledged
	deleted  []string
	total    int
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	change()
}

// TestKills kills a server under load, again and again (COSMOS_KILLS; 8), and looks into its store each time: every
// acknowledged batch is there, every batch is whole, whoever was told what, and the change feed has all of it.
func TestKills(t *testing.T) {
	t.Parallel()
	kills := 8
	if text := os.Getenv("COSMOS_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	random, l, operations := rand.New(rand.NewPCG(7, 7)), (*ledger)(nil), 0
	for life := range kills {
		if life%10 == 0 { // what has piled up is looked through after each kill
			if l != nil {
				operations += l.total
			}
			l = &ledger{dir: t.TempDir(), entities: map[int]int{}, patched: map[int]int{}}
		}
		l.live(t, life, 1+random.IntN(300))
		l.verify(t)
	}
	t.Logf("%d kills, %d operations acknowledged", kills, operations+l.total)
	require.NotEmpty(t, l.batches)
	require.NotEmpty(t, l.deleted)
}

// live runs a server and its clients until that many operations were acknowledged, and kills it.
func (l *ledger) live(t *testing.T, life, operations int) {
	t.Helper()
	process, url := spawn(t, l.dir)
	client := connect(t, (&Server{keyText: EmulatorKey}).ConnectionString(url))
	if life%10 == 0 {
		_, err := client.CreateDatabase(context.Background(), azcosmos.DatabaseProperties{ID: "db"}, nil)
		require.NoError(t, err)
		db, err := client.NewDatabase("db")
		require.NoError(t, err)
		_, err = db.CreateContainer(context.Background(), withUnique("/unique"), nil)
		require.NoError(t, err)
	}
	c, err := client.NewContainer("db", "c")
	require.NoError(t, err)
	var clients sync.WaitGroup
	end := l.total + operations
	for worker := range 8 {
		clients.Go(func() {
			for n := life * 1_000_000; ; n++ {
				if err := l.work(t, c, worker, n); err != nil {
					return // the server is gone; the outcome is unknown
				}
				l.mu.Lock()
				if l.total >= end {
					_ = process.Process.Kill() // it may be dead already
				}
				l.mu.Unlock()
			}
		})
	}
	clients.Wait()
	_ = process.Process.Kill() // where the clients have failed
	_ = process.Wait()         // "signal: killed"
}

// work writes a pair of documents and the worker's entity in one batch, and now and then patches the entity or deletes
// a pair.
func (l *ledger) work(t *testing.T, c *azcosmos.ContainerClient, worker, n int) error {
	key, name := fmt.Sprintf("key-%d", worker%4), fmt.Sprintf("%d-%d", worker, n)
	r, err := run(c, key, nil, func(b *azcosmos.TransactionalBatch) {
		b.CreateItem(doc(t, m{"id": "l-" + name, "pk": key, "pending": true, "unique": "l" + name}), nil)
		b.CreateItem(doc(t, m{"id": "r-" + name, "pk": key, "seq": n, "unique": "r" + name}), nil)
		b.UpsertItem(doc(t, m{"id": fmt.Sprint("entity-", worker), "pk": key, "n": n, "unique": worker}), nil)
	})
	if err != nil {
		return err
	}
	if !r.Success {
		t.Error(batchStatuses(r))
		return errors.New("rolled back")
	}
	l.note(func() { l.batches, l.entities[worker] = append(l.batches, key+"/"+name), n })
	switch n % 5 {
	case 1:
		var p azcosmos.PatchOperations
		p.AppendSet("/patched", n)
		if _, err = c.PatchItem(context.Background(), pk(key), fmt.Sprint("entity-", worker), p, nil); err == nil {
			l.note(func() { l.patched[worker] = n })
		}
	case 2:
		r, err = run(c, key, nil, func(b *azcosmos.TransactionalBatch) {
			b.DeleteItem("l-"+name, nil)
			b.DeleteItem("r-"+name, nil)
		})
		l.mu.Lock()
		l.batches = l.batches[:len(l.batches):len(l.batches)]
		l.batches = slices.DeleteFunc(l.batches, func(s string) bool { return s == key+"/"+name }) // it may be gone now
		l.mu.Unlock()
		if err == nil && r.Success {
			l.note(func() { l.deleted = append(l.deleted, key+"/"+name) })
		}
	}
	return err
}

// verify opens the store of the dead server.
func (l *ledger) verify(t *testing.T) {
	t.Helper()
	s, err := Open(Options{Dir: l.dir})
	require.NoError(t, err)
	require.NoError(t, s.Check())
	documents := s.Documents("db", "c")
	halves := map[string]string{}
	for _, text := range documents {
		var d struct {
			ID, PK     string
			N, Patched int
		}
		require.NoError(t, json.Unmarshal(text, &d))
		side, name, _ := strings.Cut(d.ID, "-")
		if side != "entity" {
			halves[d.PK+"/"+name] += side
			continue
		}
		worker, err := strconv.Atoi(name)
		require.NoError(t, err)
		require.GreaterOrEqual(t, d.N, l.entities[worker], "the entity of worker %d", worker)
		if d.N == l.patched[worker] {
			require.Equal(t, d.N, d.Patched, "the patch of worker %d", worker)
		}
	}
	for _, name := range l.batches {
		require.Contains(t, halves, name, "acknowledged and lost")
	}
	for _, name := range l.deleted {
		require.NotContains(t, halves, name, "deleted and back")
	}
	for name, sides := range halves {
		require.Contains(t, []string{"lr", "rl"}, sides, "half of batch %s", name)
	}
	r := signed(t, "GET", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", nil, time.Now())
	r.Header.Set("A-IM", "Incremental Feed")
	r.Header.Set("x-ms-max-item-count", "-1")
	found, token := 0, "0"
	for {
		r.Header.Set("If-None-Match", token)
		w := serve(s, r)
		if w.Code == 304 {
			break
		}
		var page struct {
			Count int `json:"_count"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		found, token = found+page.Count, w.Header().Get("Etag")
	}
	require.Len(t, documents, found, "the feed has each document once")
	require.NoError(t, s.Close())
}
