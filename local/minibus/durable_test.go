package minibus_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// onDisk puts a broker on a file system that can crash.
func onDisk(fs vfs.FS) func(*minibus.Options) {
	return func(o *minibus.Options) {
		topology(o)
		o.Dir, o.FS = "bus", fs
	}
}

// crash is the file system as a machine that lost power would find it: nothing that was not synced.
func crash(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{})
}

func TestCrashLosesNothingConfirmed(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	first := runT(t, onDisk(fs))
	c := connect(t, first.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	send(t, s, "completed", "abandoned", "deferred", "dead", "active", "locked")
	got := receive(t, r, 6)
	deferred := *got[2].SequenceNumber
	require.NoError(t, r.CompleteMessage(t.Context(), got[0], nil))
	require.NoError(t, r.AbandonMessage(t.Context(), got[1], &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"note": "x"}}))
	require.NoError(t, r.DeferMessage(t.Context(), got[2], nil))
	require.NoError(t, r.DeadLetterMessage(t.Context(), got[3], &azservicebus.DeadLetterOptions{Reason: new("bad")}))
	_, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: []byte("scheduled")}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	require.NoError(t, sender(t, c, "events").SendMessage(t.Context(), &azservicebus.Message{MessageID: new("once"), SessionID: new("k")}, nil))
	sendTo(t, sender(t, c, "sessions"), "k", "1", "2")
	owner, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "k", nil)
	require.NoError(t, err)
	require.NoError(t, owner.SetSessionState(t.Context(), []byte("state"), nil))

	second := runT(t, onDisk(crash(fs)))
	c = connect(t, second.ConnectionString())
	require.Equal(t, minibus.Counts{Active: 3, Deferred: 1, Scheduled: 1, DeadLetter: 1}, second.Counts("plain"))
	require.Equal(t, "bad", second.Peek("plain/$DeadLetterQueue")[0].Properties["DeadLetterReason"])
	r = receiver(t, c, "plain", nil)
	got = receive(t, r, 3)
	require.Equal(t, []string{"abandoned", "active", "locked"}, bodies(got))
	require.EqualValues(t, 2, got[0].DeliveryCount)
	require.Equal(t, "x", got[0].ApplicationProperties["note"])
	again, err := r.ReceiveDeferredMessages(t.Context(), []int64{deferred}, nil)
	require.NoError(t, err)
	require.Equal(t, "deferred", string(again[0].Body))
	send(t, sender(t, c, "plain"), "new")
	require.EqualValues(t, 8, *receive(t, r, 1)[0].SequenceNumber, "numbers are not given twice")

	require.NoError(t, sender(t, c, "events").SendMessage(t.Context(), &azservicebus.Message{MessageID: new("once"), SessionID: new("k")}, nil))
	require.Equal(t, 1, second.Counts("events/Subscriptions/all").Active, "duplicate detection remembers")
	owner, err = c.AcceptNextSessionForQueue(within(t, time.Minute), "sessions", nil)
	require.NoError(t, err)
	state, err := owner.GetSessionState(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "state", string(state))
	require.Equal(t, []string{"1", "2"}, bodies(receive(t, owner, 2)))
}

// Whatever the moment of the crash: what had been confirmed before is there, and what was completed before is not.
func TestCrashAtAnyMoment(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	first := minibus.RunT(t, onDisk(fs))
	var mu sync.Mutex
	sent, completed := map[string]bool{}, map[string]bool{}
	var running sync.WaitGroup
	for w := range 4 {
		running.Go(func() {
			c := connect(t, first.ConnectionString())
			s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
			for i := range 40 {
				id := fmt.Sprintf("%d-%d", w, i)
				if err := s.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id}, nil); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sent[id] = true
				mu.Unlock()
				got, err := r.ReceiveMessages(t.Context(), 1, nil)
				if err == nil && len(got) == 1 {
					err = r.CompleteMessage(t.Context(), got[0], nil)
				}
				if err != nil || len(got) != 1 {
					t.Error(err)
					return
				}
				mu.Lock()
				completed[got[0].MessageID] = true
				mu.Unlock()
			}
		})
	}
	type snapshot struct {
		sent, completed map[string]bool
		fs              *vfs.MemFS
	}
	var snapshots []snapshot
	for range 10 {
		mu.Lock()
		must, gone := map[string]bool{}, map[string]bool{}
		for id := range sent {
			must[id] = !completed[id]
		}
		for id := range completed {
			gone[id] = true
		}
		mu.Unlock()
		snapshots = append(snapshots, snapshot{must, gone, crash(fs)})
	}
	running.Wait()
	for _, s := range snapshots {
		bus, err := minibus.Open(minibus.Options{Dir: "bus", FS: s.fs, Config: &minibus.Config{Queues: []minibus.Queue{{Name: "plain"}}}})
		require.NoError(t, err)
		there := map[string]bool{}
		for _, m := range bus.Peek("plain") {
			there[m.MessageID] = true
		}
		for id := range s.completed {
			require.False(t, there[id], "%s was completed before the crash", id)
		}
		require.NoError(t, bus.Close())
		// Those that were sent and not completed before may have been completed until the copy was made: count them off.
		mu.Lock()
		for id, pending := range s.sent {
			require.True(t, !pending || there[id] || completed[id], "%s is lost", id)
		}
		mu.Unlock()
	}
}

func TestRestartOnRealDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() (*minibus.Server, string, chan error) {
		o := minibus.Options{Dir: dir}
		topology(&o)
		s, err := minibus.Open(o)
		require.NoError(t, err)
		underFaults(t, s)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		return s, l.Addr().String(), served
	}
	bus, addr, served := start()
	send(t, sender(t, connect(t, bus.ConnectionString(addr)), "plain"), "kept")
	require.NoError(t, bus.Close())
	require.NoError(t, <-served)
	bus, _, served = start()
	require.Equal(t, "kept", string(bus.Peek("plain")[0].Body))
	require.NoError(t, bus.Close())
	require.NoError(t, <-served)
}
