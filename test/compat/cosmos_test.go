package compat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
)

// TestCosmosJS: the unmodified @azure/cosmos, Microsoft's client for JavaScript, works with minicosmos as with Cosmos DB.
func TestCosmosJS(t *testing.T) {
	t.Parallel()
	modules(t, "@azure/cosmos")
	for _, one := range cosmosCases(t, "cosmos.mjs", minicosmos.RunT(t).URL) {
		t.Run(one.Name, func(t *testing.T) { require.Empty(t, one.Error) })
	}
	for _, ranges := range []int{1, 3, 8} {
		for _, one := range cosmosCases(t, "cosmos_across.mjs", minicosmos.RunT(t, func(o *minicosmos.Options) { o.Ranges = ranges }).URL) {
			t.Run(fmt.Sprintf("%s, ranges: %d", one.Name, ranges), func(t *testing.T) { require.Empty(t, one.Error) })
		}
	}
}

// cosmosCase is how a case of a script has ended.
type cosmosCase struct {
	Name   string          `json:"name"`
	Error  string          `json:"error"`
	Answer json.RawMessage `json:"answer"`
	End    *int            `json:"end"` // no case is left; how many there were
}

// cosmosCases runs a script against an endpoint.
func cosmosCases(t *testing.T, script, endpoint string, settings ...string) (list []cosmosCase) {
	t.Helper()
	return programCases(t, []string{"node", filepath.Join("scripts", script)}, endpoint, settings...)
}

// programCases runs a program that runs cases against an endpoint.
func programCases(t *testing.T, program []string, endpoint string, settings ...string) (list []cosmosCase) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...) //nolint:gosec // the tester's own program
	cmd.Env, cmd.WaitDelay = append(append(os.Environ(), "COSMOS_ENDPOINT="+endpoint), settings...), 5*time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one cosmosCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one), lines.Text())
		if one.End != nil {
			require.Len(t, list, *one.End, "cases")
			require.NotEmpty(t, list)
			return list
		}
		list = append(list, one)
	}
	t.Fatalf("the script has ended early: %s", &stderr)
	return nil
}

// differences are the cases in which @vercel/cosmosdb-server answers otherwise, and why minicosmos does not.
var differences = map[string]string{
	"a batch that fails":           "a transactional batch is atomic; the other one keeps what was stored before the refusal",
	"query: an unknown function":   "the service refuses it; the other one answers with nothing",
	"query: of its partition only": "the partition key of a query narrows it down; the other one ignores it",
}

// TestCosmosAgainstVercel: where @vercel/cosmosdb-server has an operation, both servers answer it alike.
func TestCosmosAgainstVercel(t *testing.T) {
	t.Parallel()
	modules(t, "@azure/cosmos")
	modules(t, vercel)
	ours := cosmosCases(t, "cosmos_both.mjs", minicosmos.RunT(t).URL, stay)
	theirs := cosmosCases(t, "cosmos_both.mjs", startVercel(t), stay)
	require.Len(t, theirs, len(ours))
	for i, one := range ours {
		t.Run(one.Name, func(t *testing.T) {
			other := theirs[i]
			require.Equal(t, one.Name, other.Name)
			require.Empty(t, one.Error)
			require.NotEmpty(t, one.Answer)
			reason, differs := differences[one.Name]
			same := other.Error == "" && string(one.Answer) == string(other.Answer)
			switch {
			case same && differs:
				t.Errorf("both answer %s: take it off the list (%s)", one.Answer, reason)
			case !same && !differs:
				t.Errorf("minicosmos answers %s, %s answers %s%s", one.Answer, vercel, other.Answer, other.Error)
			}
		})
	}
}

// stay tells the client to keep to the endpoint that it was given.
const stay = "COSMOS_STAY=1"

const vercel = "@vercel/cosmosdb-server"

// startVercel starts the server on a free port until the test ends.
func startVercel(t testing.TB) (endpoint string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(os.Getenv("NODE_MODULES"), vercel, "lib", "cli.js"), "--host", "127.0.0.1", "-p", port, "--no-ssl")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			err = c.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	return "http://127.0.0.1:" + port
}

// BenchmarkAgainstVercel is the speed of azcosmos with both servers, one after the other in one run: 16 at once, 1 KB
// documents; minicosmos on disk, the other one in memory.
//
//	NODE_MODULES=… go test -run '^$' -bench AgainstVercel -benchtime 20000x ./test/compat
func BenchmarkAgainstVercel(b *testing.B) {
	if os.Getenv("NODE_MODULES") == "" {
		b.Skip("NODE_MODULES does not name a folder: npm install " + vercel)
	}
	dir := b.TempDir()
	rates := map[string]map[string]float64{
		"minicosmos": cosmosRates(b, minicosmos.RunT(b, func(o *minicosmos.Options) { o.Dir = dir }).URL),
		"vercel":     cosmosRates(b, startVercel(b)),
	}
	for _, kind := range []string{"create", "read"} {
		b.ReportMetric(rates["minicosmos"][kind], kind+"s/s")
		b.ReportMetric(rates["minicosmos"][kind]/rates["vercel"][kind], kind+"-ratio")
	}
	b.ReportMetric(0, "ns/op")
}

func cosmosRates(b *testing.B, endpoint string) map[string]float64 {
	key, err := azcosmos.NewKeyCredential(minicosmos.EmulatorKey)
	require.NoError(b, err)
	client, err := azcosmos.NewClientWithKey(endpoint, key, nil)
	require.NoError(b, err)
	_, err = client.CreateDatabase(b.Context(), azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.NoError(b, err)
	db, err := client.NewDatabase("db")
	require.NoError(b, err)
	_, err = db.CreateContainer(b.Context(), azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}, Version: 2}}, nil)
	require.NoError(b, err)
	c, err := db.NewContainer("c")
	require.NoError(b, err)
	padding := strings.Repeat("x", 900)
	rates := map[string]float64{}
	for _, kind := range []struct {
		name string
		op   func(id, pk string) error
	}{
		{"create", func(id, pk string) error {
			_, err := c.CreateItem(b.Context(), azcosmos.NewPartitionKeyString(pk), fmt.Appendf(nil, `{"id":%q,"pk":%q,"data":%q}`, id, pk, padding), nil)
			return err
		}},
		{"read", func(id, pk string) error {
			_, err := c.ReadItem(b.Context(), azcosmos.NewPartitionKeyString(pk), id, nil)
			return err
		}},
	} {
		var next atomic.Int64
		var all sync.WaitGroup
		began := time.Now()
		for range 16 {
			all.Go(func() {
				for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
					if err := kind.op(fmt.Sprint(i), fmt.Sprint("key-", i%1000)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		rates[kind.name] = float64(b.N) / time.Since(began).Seconds()
	}
	return rates
}
