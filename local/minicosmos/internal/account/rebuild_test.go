package account

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// stuck is a disk on which, once armed, the next read waits for another one to be let go.
type stuck struct {
	roomy
	armed   atomic.Bool
	reached chan struct{}
	letGo   chan struct{}
}

func (s *stuck) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.roomy.Open(name, o...)
	return stuckFile{f, s}, err
}

type stuckFile struct {
	vfs.File
	on *stuck
}

func (f stuckFile) ReadAt(p []byte, at int64) (int, error) {
	if f.on.armed.CompareAndSwap(true, false) {
		close(f.on.reached)
		<-f.on.letGo
	}
	return f.File.ReadAt(p, at)
}

// Whoever replaces a container reads all of its documents. Writers of other containers do not wait for that.
func TestOthersWriteWhileAContainerIsReplaced(t *testing.T) {
	t.Parallel()
	disk := &stuck{roomy: roomy{vfs.NewMem()}, reached: make(chan struct{}), letGo: make(chan struct{})}
	a, c := filled(t, disk, 0)
	other, bad := a.CreateContainer("db", mustParse(`{"id":"other","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2}}`), sql.Value{})
	require.Nil(t, bad)
	write := func(a *Account, c *Container, id int) error {
		txn, bad := a.Begin(c, partition.Key{sql.StringOf("k")})
		if bad != nil {
			return bad
		}
		defer txn.End()
		if _, bad = txn.Create(mustParse(fmt.Sprintf(`{"id":"%d","pk":"k","text":%q}`, id, strings.Repeat("x", 10_000)))); bad != nil {
			return bad
		}
		return txn.Commit()
	}
	for i := range 100 {
		require.NoError(t, write(a, c, i))
	}
	require.NoError(t, write(a, other, 0))
	a.Close()
	a, c = reopened(t, disk)
	settle(t, c)
	other, bad = a.Container("db", "other")
	require.Nil(t, bad)
	require.NoError(t, write(a, other, 1))

	disk.armed.Store(true)
	var replaced sync.WaitGroup
	replaced.Go(func() {
		bad := a.ReplaceContainer(c, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":5000}`), "")
		if bad != nil {
			t.Error(bad)
		}
	})
	<-disk.reached
	written := make(chan error, 1)
	go func() { written <- write(a, other, 2) }()
	select {
	case err := <-written:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Error("a write waits for the documents of another container")
	}
	close(disk.letGo)
	replaced.Wait()
	a.Close()
}
