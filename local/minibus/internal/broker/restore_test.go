package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Earlier versions made queues with sessions that forward. What such a queue has can be received, and the log says so.
func TestSessionsThatForward(t *testing.T) {
	t.Parallel()
	fs, logged := vfs.NewMem(), &bytes.Buffer{}
	open := func() *Broker {
		b, err := Open(Options{
			Dir: "bus", FS: fs, Config: &topology.Config{Queues: []topology.Queue{{Name: "dst"}}},
			Logger: slog.New(slog.NewTextHandler(logged, nil)), MaxEntityBytes: 1 << 20, CacheBytes: 1 << 20,
		})
		require.NoError(t, err)
		return b
	}
	b := open()
	d := topology.Description{Kind: topology.QueueKind, Path: "src", Name: "src", ForwardTo: "dst", Settings: b.entities["dst"].Settings}
	d.Settings.RequiresSession = true
	e, err := b.add(d)
	require.NoError(t, err)
	_, err = e.Accept([]*content.Content{{SessionID: "s", HasSession: true, Size: 1}})
	require.NoError(t, err)
	b.changed(e)
	require.NotNil(t, e.forward)
	require.NoError(t, b.Close())

	b = open()
	e = b.entities["src"]
	require.Nil(t, e.forward)
	require.Empty(t, e.ForwardTo)
	require.True(t, e.Settings.RequiresSession)
	require.Len(t, e.offers, 1)
	require.Contains(t, logged.String(), "level=WARN")
	require.Contains(t, logged.String(), "entity=src")
	require.Contains(t, logged.String(), "forwardTo=dst")
	require.NoError(t, b.Close())
}

// slow is a disk on which each read takes a second.
type slow struct{ vfs.FS }

func (s slow) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.Open(name, opts...)
	return slowFile{f}, err
}

type slowFile struct{ vfs.File }

func (f slowFile) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(time.Second)
	return f.File.ReadAt(p, off)
}

// A long start tells how far it is, and finds every message in its place, however it is read.
func TestLongStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, year = 3 * shareAtLeast, 365 * 24 * time.Hour
		o := Options{
			Dir: "bus", FS: vfs.NewMem(), Config: &topology.Config{Queues: []topology.Queue{{Name: "q", DefaultMessageTimeToLive: year}, {Name: "s", DefaultMessageTimeToLive: year, RequiresSession: true}, {Name: "z"}}},
			Logger: slog.New(slog.DiscardHandler), MaxEntityBytes: 1 << 30, CacheBytes: 1 << 20,
		}
		b, err := Open(o)
		require.NoError(t, err)
		for i := range n {
			c, err := content.Parse(amqpwire.AppendValue((&amqpwire.Properties{GroupID: new(fmt.Sprint("session-", i%7))}).Append(nil), int64(i)))
			require.NoError(t, err)
			for _, name := range []string{"q", "s"} {
				_, err := b.entities[name].Accept([]*content.Content{c})
				require.NoError(t, err)
			}
			if i%10_000 == 0 {
				require.NoError(t, b.Durable(b.Position()))
			}
		}
		require.NoError(t, b.Close())

		var told []int
		o.FS, o.Progress = slow{o.FS}, func(messages int) { told = append(told, messages) }
		b, err = Open(o)
		require.NoError(t, err)
		require.NoError(t, b.Check())
		for _, name := range []string{"q", "s"} {
			e, next := b.entities[name], int64(1)
			require.Equal(t, n, e.log.live)
			for m := range e.log.all(0) {
				require.Equal(t, next, m.seq)
				next++
			}
		}
		require.Len(t, b.entities["s"].sessions, 7)
		require.Equal(t, n/7, len(b.entities["s"].sessions["session-6"].ready))
		require.Zero(t, b.entities["z"].log.live)
		require.Greater(t, len(told), 3)
		require.IsNonDecreasing(t, told)
		require.Greater(t, told[len(told)-1], n)
		require.NoError(t, b.Close())
	})
}
