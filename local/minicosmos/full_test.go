package minicosmos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/disk/disktest"
)

// TestFullDisk fills the disk under a client: writes get a 507 that says where and what to do, reads go on, what was
// acknowledged is there, and room heals it without a restart.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("data", 24<<20)
	s, c := startContainer(t, azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		func(o *Options) { o.Dir, o.FS = "data", small })
	write := func(i int) error {
		_, err := c.CreateItem(context.Background(), pk("k"), doc(t, map[string]any{"id": fmt.Sprint(i), "pk": "k", "text": disktest.Text(100_000)}), nil)
		return err
	}
	read := func(n int) {
		for i := range n {
			_, err := c.ReadItem(context.Background(), pk("k"), fmt.Sprint(i), nil)
			require.NoError(t, err)
		}
	}
	n := 0
	var refused *azcore.ResponseError
	for ; refused == nil; n++ {
		if err := write(n); err != nil {
			require.ErrorAs(t, err, &refused)
		}
		if n == 20 {
			small.Fill(8 << 20)
		}
	}
	require.Greater(t, n, 20)
	require.Equal(t, http.StatusInsufficientStorage, refused.StatusCode)
	require.Contains(t, refused.Error(), "the disk of data is full")
	require.Contains(t, refused.Error(), "make room there")
	read(n - 1)
	small.Resize(200 << 20)
	require.NoError(t, write(n-1), "nothing of it was stored")
	read(n)
	require.NoError(t, s.Close())
}

// TestCloseOnAFullDisk: a server whose writers wait for room ends.
func TestCloseOnAFullDisk(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("data", 64<<20)
	s, c := startContainer(t, azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		func(o *Options) { o.Dir, o.FS = "data", small })
	writers := make(chan error, 8)
	small.Fill(0)
	for i := range cap(writers) {
		go func() {
			_, err := c.CreateItem(t.Context(), pk("k"), doc(t, map[string]any{"id": fmt.Sprint(i), "pk": "k"}), nil)
			writers <- err
		}()
	}
	for range cap(writers) {
		require.Error(t, <-writers)
	}
	began := time.Now()
	_ = s.Close()                                   // it may say that it had no room
	require.Less(t, time.Since(began), time.Minute) // five for connections that have asked nothing yet
}

// TestDamagedStore: a log that lost what was acknowledged is refused with what to do, and opened on demand.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s, c := startContainer(t, azcosmos.ContainerProperties{ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}},
		func(o *Options) { o.Dir = dir })
	for i := range 40 {
		_, err := c.CreateItem(context.Background(), pk("k"), doc(t, map[string]any{"id": fmt.Sprint(i), "pk": "k", "text": strings.Repeat("x", 1000)}), nil)
		require.NoError(t, err)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	require.NoError(t, os.CopyFS(killed, os.DirFS(dir)))
	require.NoError(t, s.Close())
	logs, err := filepath.Glob(filepath.Join(killed, "*.log"))
	require.NoError(t, err)
	newest := logs[len(logs)-1]
	text, err := os.ReadFile(newest)
	require.NoError(t, err)
	text[len(text)/2] ^= 1
	text[len(text)/2+1] ^= 1
	require.NoError(t, os.WriteFile(newest, text, 0o600))

	_, err = Open(Options{Dir: killed})
	var damage *disk.DamageError
	require.True(t, errors.As(err, &damage), "%v", err)
	require.Contains(t, err.Error(), killed)
	t.Log(err)
	if damage.Cause == nil {
		open, err := Open(Options{Dir: killed, AcceptLoss: true})
		require.NoError(t, err)
		require.NoError(t, open.Check())
		require.NotEmpty(t, open.Documents("db", "c"))
		require.NoError(t, open.Close())
	}
}
