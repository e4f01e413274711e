package minibus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// changeQueue updates a queue as its owner does.
func changeQueue(t *testing.T, c *admin.Client, name string, change func(*admin.QueueProperties)) {
	t.Helper()
	got, err := c.GetQueue(t.Context(), name, nil)
	require.NoError(t, err)
	change(&got.QueueProperties)
	_, err = c.UpdateQueue(t.Context(), name, got.QueueProperties, nil)
	require.NoError(t, err)
}

// bury sends messages and dead-letters them.
func bury(t *testing.T, c *azservicebus.Client, queue string, texts ...string) {
	t.Helper()
	send(t, sender(t, c, queue), texts...)
	r := receiver(t, c, queue, nil)
	for _, m := range receive(t, r, len(texts)) {
		require.NoError(t, r.DeadLetterMessage(t.Context(), m, &azservicebus.DeadLetterOptions{Reason: new("r")}))
	}
	require.NoError(t, r.Close(t.Context()))
}

func peeked(bus *minibus.Instance, path string) (list []string) {
	for _, m := range bus.Peek(path) {
		list = append(list, string(m.Body))
	}
	return list
}

// What a queue holds when it begins to forward goes too, in order; what is locked then goes when it comes back.
func TestBacklogIsForwarded(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "src"}, {Name: "dst"}}}
	})
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	send(t, sender(t, c, "src"), "locked", "a", "b", "c")
	r := receiver(t, c, "src", nil)
	locked := receive(t, r, 1)[0]
	changeQueue(t, a, "src", func(p *admin.QueueProperties) { p.ForwardTo = new("dst") })
	require.NoError(t, bus.Advance(time.Second))
	require.Equal(t, []string{"a", "b", "c"}, peeked(bus, "dst"))
	require.NoError(t, r.AbandonMessage(t.Context(), locked, nil))
	require.Equal(t, []string{"a", "b", "c", "locked"}, peeked(bus, "dst"))
	require.Empty(t, bus.Peek("src"))
}

// A configuration that forwards what an earlier one has left moves it too.
func TestBacklogIsForwardedAfterARestart(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS, to string) func(*minibus.Options) {
		return func(o *minibus.Options) {
			o.Dir, o.FS = "bus", fs
			o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "a-dst"}, {Name: "src", ForwardTo: to}, {Name: "z-dst"}}}
		}
	}
	first := minibus.RunT(t, durable(fs, ""))
	send(t, sender(t, connect(t, first.ConnectionString()), "src"), "a", "b", "c")
	left := crash(fs)
	for _, to := range []string{"a-dst", "z-dst"} {
		bus := minibus.RunT(t, durable(left.CrashClone(vfs.CrashCloneCfg{}), to))
		require.Equal(t, []string{"a", "b", "c"}, peeked(bus, to))
		require.Equal(t, []string{"a", "b", "c"}, bodies(receive(t, receiver(t, connect(t, bus.ConnectionString()), to, nil), 3)))
	}
}

// Dead letters that could not be forwarded go when they can: the target is enabled, has room, or is there again.
func TestDeadLettersWaitForTheirTarget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		close, open func(*testing.T, *minibus.Instance, *azservicebus.Client, *admin.Client)
	}{
		"disabled": {
			func(t *testing.T, _ *minibus.Instance, _ *azservicebus.Client, a *admin.Client) {
				changeQueue(t, a, "dst", func(p *admin.QueueProperties) { p.Status = new(admin.EntityStatusSendDisabled) })
			},
			func(t *testing.T, _ *minibus.Instance, _ *azservicebus.Client, a *admin.Client) {
				changeQueue(t, a, "dst", func(p *admin.QueueProperties) { p.Status = new(admin.EntityStatusActive) })
			},
		},
		"full": {
			func(t *testing.T, _ *minibus.Instance, c *azservicebus.Client, _ *admin.Client) {
				s := sender(t, c, "dst")
				send(t, s, strings.Repeat("x", 99_000))
				for s.SendMessage(t.Context(), &azservicebus.Message{}, nil) == nil {
				}
			},
			func(t *testing.T, bus *minibus.Instance, c *azservicebus.Client, _ *admin.Client) {
				r := receiver(t, c, "dst", nil)
				for _, m := range receive(t, r, bus.Counts("dst").Active) {
					require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
				}
				require.NoError(t, r.Close(t.Context()))
			},
		},
		"deleted": {
			func(t *testing.T, _ *minibus.Instance, _ *azservicebus.Client, a *admin.Client) {
				_, err := a.DeleteQueue(t.Context(), "dst", nil)
				require.NoError(t, err)
			},
			func(t *testing.T, _ *minibus.Instance, _ *azservicebus.Client, a *admin.Client) {
				_, err := a.CreateQueue(t.Context(), "dst", nil)
				require.NoError(t, err)
			},
		},
		"not yet named": {
			func(*testing.T, *minibus.Instance, *azservicebus.Client, *admin.Client) {},
			func(t *testing.T, _ *minibus.Instance, _ *azservicebus.Client, a *admin.Client) {
				changeQueue(t, a, "src", func(p *admin.QueueProperties) { p.ForwardDeadLetteredMessagesTo = new("dst") })
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := minibus.Queue{Name: "src", ForwardDeadLetteredMessagesTo: "dst"}
			if name == "not yet named" {
				src.ForwardDeadLetteredMessagesTo = ""
			}
			bus := minibus.RunT(t, func(o *minibus.Options) {
				o.MaxEntityBytes = 100_000
				o.Config = &minibus.Config{Queues: []minibus.Queue{src, {Name: "dst"}}}
			})
			client, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
			c.close(t, bus, client, a)
			bury(t, client, "src", "a", "b")
			require.Equal(t, []string{"a", "b"}, peeked(bus, "src/$DeadLetterQueue"))
			c.open(t, bus, client, a)
			require.NoError(t, bus.Advance(time.Second))
			require.Equal(t, []string{"a", "b"}, peeked(bus, "dst"))
			require.Empty(t, bus.Peek("src/$DeadLetterQueue"))
			require.Equal(t, "r", bus.Peek("dst")[0].Properties["DeadLetterReason"])
			bury(t, client, "src", "c")
			require.Equal(t, []string{"a", "b", "c"}, peeked(bus, "dst"))
		})
	}
}

// What waits for its target waits after a restart too.
func TestWaitingDeadLettersSurvive(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			o.Dir, o.FS = "bus", fs
			o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "src", ForwardDeadLetteredMessagesTo: "dst"}, {Name: "dst"}}}
		}
	}
	first := minibus.RunT(t, durable(fs))
	changeQueue(t, administer(t, first, first.ConnectionString()), "dst", func(p *admin.QueueProperties) { p.Status = new(admin.EntityStatusSendDisabled) })
	bury(t, connect(t, first.ConnectionString()), "src", "a", "b")
	bus := minibus.RunT(t, durable(crash(fs)))
	require.Equal(t, []string{"a", "b"}, peeked(bus, "src/$DeadLetterQueue"))
	changeQueue(t, administer(t, bus, bus.ConnectionString()), "dst", func(p *admin.QueueProperties) { p.Status = new(admin.EntityStatusActive) })
	require.NoError(t, bus.Advance(time.Second))
	require.Equal(t, []string{"a", "b"}, peeked(bus, "dst"))
}

// What has expired while the broker was away is dead-lettered once.
func TestExpiredWhileAway(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	config := minibus.Config{}
	for _, name := range strings.Split("abcdefgh", "") {
		config.Queues = append(config.Queues, minibus.Queue{Name: name, DeadLetteringOnMessageExpiration: true})
	}
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) { o.Dir, o.FS, o.Config = "bus", fs, &config }
	}
	first := minibus.RunT(t, durable(fs))
	c := connect(t, first.ConnectionString())
	for _, q := range config.Queues {
		require.NoError(t, sender(t, c, q.Name).SendMessage(t.Context(), &azservicebus.Message{TimeToLive: new(200 * time.Millisecond)}, nil))
	}
	left := crash(fs)
	time.Sleep(250 * time.Millisecond)
	bus := minibus.RunT(t, durable(left)) // checks what it keeps twice when the test ends
	for _, q := range config.Queues {
		require.Equal(t, minibus.Counts{DeadLetter: 1}, bus.Counts(q.Name))
	}
}

// Nobody receives from what forwards, and nothing with sessions forwards.
func TestForwardingIsExclusive(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{
			Queues: []minibus.Queue{{Name: "src", ForwardTo: "dst"}, {Name: "dead", ForwardDeadLetteredMessagesTo: "dst"}, {Name: "dst"}, {Name: "ordered", RequiresSession: true}},
		}
	})
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	for queue, sub := range map[string]azservicebus.SubQueue{"src": 0, "dead": azservicebus.SubQueueDeadLetter} {
		_, err := receiver(t, c, queue, &azservicebus.ReceiverOptions{SubQueue: sub}).ReceiveMessages(within(t, time.Minute), 1, nil)
		require.ErrorContains(t, err, "its messages are forwarded to 'dst'")
	}
	_, err := a.CreateQueue(t.Context(), "new", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{RequiresSession: new(true), ForwardTo: new("dst")}})
	requireStatus(t, err, 400, "which exclude each other")
	got, err := a.GetQueue(t.Context(), "ordered", nil)
	require.NoError(t, err)
	got.ForwardTo = new("dst")
	_, err = a.UpdateQueue(t.Context(), "ordered", got.QueueProperties, nil)
	requireStatus(t, err, 400, "which exclude each other")
	_, err = minibus.Open(minibus.Options{Config: &minibus.Config{Queues: []minibus.Queue{{Name: "a"}, {Name: "b", ForwardTo: "a", RequiresSession: true}}}})
	require.ErrorIs(t, err, minibus.ErrConfig)
}
