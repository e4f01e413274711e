package minicosmos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
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

// acknowledged is what the clients were told: the batches that were stored.
type acknowledged struct {
	mu   sync.Mutex
	list []string // "<key>/<n>"
}

func (a *acknowledged) add(s string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, s)
	return len(a.list)
}

// TestKill kills a server process under load, several times over one directory. Every
// acknowledged batch must be there, every batch must be whole, whoever was told what.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acked acknowledged
	for round := range 4 {
		process, url := spawn(t, dir)
		client := connect(t, (&Server{keyText: EmulatorKey}).ConnectionString(url))
		if round == 0 {
			_, err := client.CreateDatabase(context.Background(), azcosmos.DatabaseProperties{ID: "db"}, nil)
			require.NoError(t, err)
			db, err := client.NewDatabase("db")
			require.NoError(t, err)
			_, err = db.CreateContainer(context.Background(), outboxLike("c"), nil)
			require.NoError(t, err)
		}
		c, err := client.NewContainer("db", "c")
		require.NoError(t, err)
		loadUntilKilled(t, c, process, round, &acked)
	}
	s := RunT(t, func(o *Options) { o.Dir = dir })
	verify(t, s.Documents("db", "c"), acked.list)
}

// loadUntilKilled writes pairs from 8 clients until the process, killed after a number
// of acknowledgements, answers no more.
func loadUntilKilled(t *testing.T, c *azcosmos.ContainerClient, process *exec.Cmd, round int, acked *acknowledged) {
	t.Helper()
	const killAfter = 400
	start := len(acked.list)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("key-%d", worker%4)
				name := fmt.Sprintf("%d-%d-%d", round, worker, n)
				r, err := run(c, key, nil, func(b *azcosmos.TransactionalBatch) {
					b.CreateItem(doc(t, m{"id": "l-" + name, "pk": key, "pending": true}), nil)
					b.CreateItem(doc(t, m{"id": "r-" + name, "pk": key, "seq": n}), nil)
					b.UpsertItem(doc(t, m{"id": fmt.Sprint("entity-", worker), "pk": key, "n": n}), nil)
				})
				if err != nil {
					return // the server is gone; the outcome of this batch is unknown
				}
				if !r.Success {
					t.Error(batchStatuses(r))
					return
				}
				if acked.add(key+"/"+name) == start+killAfter {
					if err := process.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	_ = process.Wait() // "signal: killed"
}

func verify(t *testing.T, documents []json.RawMessage, acked []string) {
	t.Helper()
	halves := map[string]string{}
	for _, text := range documents {
		var d struct{ ID, PK string }
		require.NoError(t, json.Unmarshal(text, &d))
		side, name, _ := strings.Cut(d.ID, "-")
		if side != "entity" {
			halves[d.PK+"/"+name] += side
		}
	}
	for _, name := range acked {
		require.Contains(t, halves, name, "acknowledged and lost")
	}
	for name, sides := range halves {
		require.Contains(t, []string{"lr", "rl"}, sides, "half of batch %s", name)
	}
	require.GreaterOrEqual(t, len(acked), 1600)
	t.Logf("%d acknowledged, %d stored", len(acked), len(halves))
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Ranges: 3})
	require.NoError(t, err)
	db, bad := s.createDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	_, bad = s.createContainer(db.name, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":-1}`), sql.Value{})
	require.Nil(t, bad)
	properties := s.catalog.listContainers(db)[0].String()
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is fine")

	reopened := RunT(t, func(o *Options) { o.Dir = dir })
	again, bad := reopened.catalog.container("db", "c")
	require.Nil(t, bad)
	require.Equal(t, properties, again.properties.Load().String())
	require.Len(t, again.layout.Load().live, 3, "a container keeps its ranges")
	require.Equal(t, s.epoch+1, reopened.epoch, "ETags never repeat")
}
