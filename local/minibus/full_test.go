package minibus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/disk/disktest"
	"github.com/relaybox/relaybox/local/minibus"
)

// TestFullDisk fills the disk under a sender: the send is refused with where and what to do, what is there is handed out and
// settled, and room heals it without a restart.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("bus", 24<<20)
	bus := minibus.RunT(t, onDisk(small))
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	sent := 0
	var refused error
	for ; refused == nil; sent++ {
		refused = s.SendMessage(t.Context(), &azservicebus.Message{Body: []byte(disktest.Text(100_000))}, nil)
		if sent == 20 {
			small.Fill(6 << 20)
		}
	}
	sent--
	require.Greater(t, sent, 20)
	require.ErrorContains(t, refused, "the disk of bus is full")
	require.ErrorContains(t, refused, "make room there")
	_, err := administer(t, bus, bus.ConnectionString()).CreateQueue(t.Context(), "more", nil)
	require.ErrorContains(t, err, "the disk of bus is full")
	for range 20 {
		got := receive(t, r, 1)
		require.NoError(t, r.CompleteMessage(t.Context(), got[0], nil))
	}
	require.Equal(t, sent-20, bus.Counts("plain").Active)
	small.Resize(200 << 20)
	send(t, s, "again")
	require.Equal(t, sent-19, bus.Counts("plain").Active)
	require.NoError(t, bus.Close())

	bus = minibus.RunT(t, onDisk(small))
	require.Equal(t, sent-19, bus.Counts("plain").Active)
}

// TestFilledWhileIdle: a broker that has nothing to do when somebody else fills its disk refuses the next send, too.
func TestFilledWhileIdle(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("bus", 64<<20)
	bus := minibus.RunT(t, onDisk(small))
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "plain")
	send(t, s, "before")
	time.Sleep(100 * time.Millisecond)
	small.Fill(0)
	for range 3 {
		require.ErrorContains(t, s.SendMessage(within(t, time.Minute), &azservicebus.Message{Body: []byte("x")}, nil), "the disk of bus is full")
	}
	small.Resize(128 << 20)
	send(t, s, "after")
	require.Equal(t, []string{"before", "after"}, bodies(receive(t, receiver(t, c, "plain", nil), 2)))
}

// TestCloseOnAFullDisk: a broker whose clients wait for room ends.
func TestCloseOnAFullDisk(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("bus", 64<<20)
	bus := minibus.RunT(t, onDisk(small))
	s := sender(t, connect(t, bus.ConnectionString()), "plain")
	send(t, s, "before")
	small.Fill(0)
	told := make(chan error, 1)
	go func() {
		told <- s.SendMessage(within(t, time.Minute), &azservicebus.Message{Body: []byte(strings.Repeat("x", 100_000))}, nil)
	}()
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	_ = bus.Close() // it may say that it had no room
	require.Less(t, time.Since(began), time.Minute)
	require.Error(t, <-told)
}

// TestDamagedStore: logs that lost what was acknowledged are refused with what to do, and opened on demand.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "bus")
	options := func(o *minibus.Options) { topology(o); o.Dir = dir }
	bus := minibus.RunT(t, options)
	s := sender(t, connect(t, bus.ConnectionString()), "plain")
	for range 40 {
		send(t, s, "one")
	}
	require.NoError(t, bus.Close())
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, log := range logs {
		require.NoError(t, os.Truncate(log, 0))
	}
	o := minibus.Options{}
	options(&o)
	_, err = minibus.Open(o)
	var damage *disk.DamageError
	require.True(t, errors.As(err, &damage), "%v", err)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "accept the loss")
	o.AcceptLoss = true
	open, err := minibus.Open(o)
	require.NoError(t, err)
	require.Zero(t, open.Counts("plain").Active)
	require.NoError(t, open.Close())
}

// On a full disk a session's state and a rule are refused like a message, and do not take the room that settlements need.
func TestStatesAndRulesOnAFullDisk(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("bus", 64<<20)
	bus := minibus.RunT(t, onDisk(small))
	c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) }) // the broker may be gone
	sendTo(t, sender(t, c, "sessions"), "k", "x")
	owner, err := c.AcceptSessionForQueue(t.Context(), "sessions", "k", nil)
	require.NoError(t, err)
	s := rawSession(t, bus)
	authorize(t, s, bus, "events/Subscriptions/all")
	require.NoError(t, owner.SetSessionState(t.Context(), []byte("before"), nil))
	time.Sleep(100 * time.Millisecond) // what has been seen of the disk is good for half of that
	small.Fill(0)
	refused := owner.SetSessionState(within(t, time.Minute), []byte(disktest.Text(200_000)), nil)
	require.ErrorContains(t, refused, "the disk of bus is full")
	status, _ := manageRule(t, s, "add-rule", map[string]any{"rule-name": "r", "rule-description": map[string]any{}})
	require.EqualValues(t, 500, status)
	small.Resize(128 << 20)
	state, err := owner.GetSessionState(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "before", string(state))
	require.NoError(t, owner.SetSessionState(t.Context(), []byte("after"), nil))
}
