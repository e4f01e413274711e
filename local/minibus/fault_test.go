package minibus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// once makes a client that does not try again: a test sees the first answer.
func once(t *testing.T, bus *minibus.Instance) *azservicebus.Client {
	t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	return c
}

func inject(t *testing.T, bus *minibus.Instance, faults ...minibus.Fault) {
	t.Helper()
	require.NoError(t, bus.Inject(faults...))
}

func message(body string) *azservicebus.Message { return &azservicebus.Message{Body: []byte(body)} }

func stored(bus *minibus.Instance, entity string) []string {
	list := []string{}
	for _, m := range bus.Peek(entity) {
		list = append(list, string(m.Body))
	}
	return list
}

// What a sender sees, and what the broker has then.
func TestFaultsOnSend(t *testing.T) {
	t.Parallel()
	var refused *amqp.Error
	var lost *azservicebus.Error
	for name, c := range map[string]struct {
		fault minibus.Fault
		sees  func(*testing.T, error)
		keeps []string
	}{
		"refuse": {minibus.Fault{Do: minibus.Refuse, Condition: "amqp:resource-limit-exceeded", Text: "full up"}, func(t *testing.T, err error) {
			require.ErrorAs(t, err, &refused)
			require.EqualValues(t, "amqp:resource-limit-exceeded", refused.Condition)
			require.Equal(t, "full up", refused.Description)
		}, []string{}},
		"busy": {minibus.Fault{Do: minibus.Busy}, func(t *testing.T, err error) {
			require.ErrorAs(t, err, &refused)
			require.EqualValues(t, "com.microsoft:server-busy", refused.Condition)
		}, []string{}},
		"delay": {minibus.Fault{Do: minibus.Delay, Delay: minibus.Duration(50 * time.Millisecond)}, func(t *testing.T, err error) {
			require.NoError(t, err)
		}, []string{"x"}},
		"stall":       {minibus.Fault{Do: minibus.Stall}, func(t *testing.T, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) }, []string{"x"}},
		"drop before": {minibus.Fault{Do: minibus.DropBefore}, func(t *testing.T, err error) { require.ErrorAs(t, err, &lost) }, []string{}},
		"drop after":  {minibus.Fault{Do: minibus.DropAfter}, func(t *testing.T, err error) { require.ErrorAs(t, err, &lost) }, []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, topology)
			s := sender(t, once(t, bus), "plain")
			require.NoError(t, s.SendMessage(t.Context(), message("attached"), nil))
			c.fault.On, c.fault.Entity, c.fault.Times = minibus.OnSend, "Plain", 1
			inject(t, bus, c.fault)
			began := time.Now()
			c.sees(t, s.SendMessage(within(t, 2*time.Second), message("x"), nil))
			if c.fault.Delay > 0 {
				require.GreaterOrEqual(t, time.Since(began), time.Duration(c.fault.Delay))
			}
			require.Equal(t, append([]string{"attached"}, c.keeps...), stored(bus, "plain"))
			require.Equal(t, 1, bus.Faults()[0].Fired)
			require.NoError(t, sender(t, connect(t, bus.ConnectionString()), "plain").SendMessage(t.Context(), message("next"), nil), "it is over")
		})
	}
}

// A message whose answer was dropped after the commit is on disk, and a sender that tries again is caught by duplicate
// detection.
func TestDropAfterIsDurable(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	first := minibus.RunT(t, topology, func(o *minibus.Options) {
		o.Dir, o.FS = "bus", fs
		for i := range o.Config.Queues {
			o.Config.Queues[i].DuplicateDetectionHistoryTimeWindow = time.Hour // a client on a busy machine may take a second to try again
		}
	})
	inject(t, first, minibus.Fault{On: minibus.OnSend, Do: minibus.DropAfter, Times: 1})
	s := sender(t, connect(t, first.ConnectionString()), "dedup")
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{MessageID: new("1"), Body: []byte("x")}, nil), "the client tries again")
	require.Equal(t, []string{"x"}, stored(first, "dedup"))

	inject(t, first, minibus.Fault{On: minibus.OnSend, Do: minibus.DropAfter, Times: 1})
	alone := sender(t, once(t, first), "plain")
	require.Error(t, alone.SendMessage(t.Context(), message("y"), nil))
	second := minibus.RunT(t, topology, func(o *minibus.Options) { o.Dir, o.FS = "bus", crash(fs) })
	require.Equal(t, []string{"y"}, stored(second, "plain"))
}

// TestFaultsOfASession hit its messages, and what comes in one batch with them.
func TestFaultsOfASession(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	inject(t, bus, minibus.Fault{On: minibus.OnSend, Do: minibus.Refuse, Condition: "amqp:not-allowed", Session: "order-*"})
	s := sender(t, once(t, bus), "plain")
	of := func(session, body string) *azservicebus.Message {
		return &azservicebus.Message{SessionID: &session, Body: []byte(body)}
	}
	var refused *amqp.Error
	require.ErrorAs(t, s.SendMessage(t.Context(), of("order-1", "a"), nil), &refused)
	require.NoError(t, s.SendMessage(t.Context(), of("profile-1", "b"), nil))
	require.NoError(t, s.SendMessage(t.Context(), message("c"), nil))
	batch, err := s.NewMessageBatch(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, batch.AddMessage(of("profile-1", "d"), nil))
	require.NoError(t, batch.AddMessage(of("order-2", "e"), nil))
	require.ErrorAs(t, s.SendMessageBatch(t.Context(), batch, nil), &refused)
	require.Equal(t, []string{"b", "c"}, stored(bus, "plain"))
	require.Equal(t, 2, bus.Faults()[0].Fired)
}

// A stalled answer comes when the faults are cleared.
func TestStallEnds(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	inject(t, bus, minibus.Fault{On: minibus.OnSend, Do: minibus.Stall})
	s := sender(t, once(t, bus), "plain")
	answered := make(chan error, 1)
	go func() { answered <- s.SendMessage(within(t, time.Minute), message("x"), nil) }()
	require.Eventually(t, func() bool { return len(stored(bus, "plain")) == 1 }, time.Minute, time.Millisecond)
	select {
	case err := <-answered:
		t.Fatal("answered although it is stalled:", err)
	default:
	}
	bus.ClearFaults()
	require.NoError(t, <-answered)
	require.Empty(t, bus.Faults())
}

func TestFaultsOnReceive(t *testing.T) {
	t.Parallel()
	for _, effect := range []minibus.Effect{minibus.Refuse, minibus.Delay, minibus.Stall, minibus.DropBefore, minibus.LoseLock} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, topology)
			c := connect(t, bus.ConnectionString())
			send(t, sender(t, c, "short"), "a", "b")
			fault := minibus.Fault{On: minibus.OnReceive, Do: effect, Times: 1}
			if effect == minibus.Delay {
				fault.Delay = minibus.Duration(50 * time.Millisecond)
			}
			inject(t, bus, fault)
			r := receiver(t, c, "short", nil)
			if effect == minibus.Stall {
				_, err := r.ReceiveMessages(within(t, 100*time.Millisecond), 2, nil)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				bus.ClearFaults()
			}
			// Whatever happens, both come, are completed, and in the end there is nothing.
			seen := map[string]uint32{}
			require.Eventually(t, func() bool {
				got, _ := r.ReceiveMessages(within(t, 2*time.Second), 1, nil)
				for _, m := range got {
					if r.CompleteMessage(t.Context(), m, nil) == nil {
						seen[string(m.Body)] = m.DeliveryCount
					}
				}
				return len(seen) == 2
			}, time.Minute, time.Millisecond)
			want := map[string]uint32{"a": 1, "b": 1}
			if effect == minibus.LoseLock {
				want["a"] = 2
			}
			require.Equal(t, want, seen)
			require.Empty(t, stored(bus, "short"))
			require.Empty(t, stored(bus, "short/$DeadLetterQueue"))
		})
	}
}

// A delivery whose connection is cut behind it stays locked, and comes again when the lock has ended.
func TestDropAfterReceive(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), "x")
	inject(t, bus, minibus.Fault{On: minibus.OnReceive, Do: minibus.DropAfter, Times: 1})
	first := once(t, bus)
	_, _ = receiver(t, first, "plain", nil).ReceiveMessages(within(t, time.Minute), 1, nil) // it may see the message or not
	require.Equal(t, 1, bus.Counts("plain").Locked)
	require.NoError(t, bus.Advance(time.Minute))
	again := receive(t, receiver(t, connect(t, bus.ConnectionString()), "plain", nil), 1)[0]
	require.EqualValues(t, 2, again.DeliveryCount)
}

func TestFaultsOnSettle(t *testing.T) {
	t.Parallel()
	for effect, keeps := range map[minibus.Effect]bool{
		minibus.Busy: true, minibus.Stall: false, minibus.DropBefore: true, minibus.DropAfter: false, minibus.LoseLock: true, minibus.Duplicate: true,
	} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, topology)
			send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), "x")
			r := receiver(t, once(t, bus), "plain", nil)
			m := receive(t, r, 1)[0]
			inject(t, bus, minibus.Fault{On: minibus.OnSettle, Do: effect, Times: 1})
			err := r.CompleteMessage(within(t, time.Second), m, nil)
			if effect == minibus.Duplicate {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
			if effect == minibus.LoseLock {
				lost, ok := errors.AsType[*azservicebus.Error](err)
				require.True(t, ok)
				require.Equal(t, azservicebus.CodeLockLost, lost.Code)
			}
			require.Equal(t, keeps, len(stored(bus, "plain")) == 1)
			if effect == minibus.Duplicate || effect == minibus.LoseLock {
				again := receive(t, r, 1)[0]
				require.Equal(t, *m.SequenceNumber, *again.SequenceNumber)
				require.EqualValues(t, 2, again.DeliveryCount)
			}
		})
	}
}

func TestFaultsOnAttachAndManage(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), "x")
	inject(t, bus, minibus.Fault{On: minibus.OnAttach, Do: minibus.Busy, Times: 1}, minibus.Fault{On: minibus.OnAttach, Do: minibus.DropBefore, Times: 1})
	for range 2 {
		require.Error(t, sender(t, once(t, bus), "plain").SendMessage(t.Context(), message("y"), nil))
	}
	r := receiver(t, once(t, bus), "plain", nil)
	for _, effect := range []minibus.Effect{minibus.Busy, minibus.DropBefore, minibus.DropAfter} {
		inject(t, bus, minibus.Fault{Entity: "plain", On: minibus.OnManage, Do: effect, Times: 1})
		_, err := r.PeekMessages(t.Context(), 1, nil)
		require.Error(t, err, effect)
	}
	inject(t, bus, minibus.Fault{On: minibus.OnManage, Do: minibus.Delay, Delay: minibus.Duration(50 * time.Millisecond), Times: 1})
	r = receiver(t, connect(t, bus.ConnectionString()), "plain", nil)
	began := time.Now()
	got, err := r.PeekMessages(t.Context(), 1, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	for _, f := range bus.Faults() {
		require.Equal(t, 1, f.Fired, f)
	}
}

// Sessions come in another order, the messages inside each do not; the same in each run.
func TestReorder(t *testing.T) {
	t.Parallel()
	order := func() (list []string) {
		bus := minibus.RunT(t, topology)
		c := connect(t, bus.ConnectionString())
		for n := range 8 {
			sendTo(t, sender(t, c, "sessions"), fmt.Sprint(n), fmt.Sprintf("%d-1", n), fmt.Sprintf("%d-2", n))
		}
		inject(t, bus, minibus.Fault{Entity: "sessions", On: minibus.OnAccept, Do: minibus.Reorder})
		for range 8 {
			r, err := c.AcceptNextSessionForQueue(t.Context(), "sessions", nil)
			require.NoError(t, err)
			got := receive(t, r, 2)
			require.Equal(t, []string{r.SessionID() + "-1", r.SessionID() + "-2"}, bodies(got))
			list = append(list, r.SessionID())
		}
		return list
	}
	first := order()
	require.False(t, slices.IsSorted(first), first)
	require.Equal(t, first, order())
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t)
	for want, f := range map[string]minibus.Fault{
		`on is "": use send`:                {Do: minibus.Busy},
		`do is "reorder": with on "send"`:   {On: minibus.OnSend, Do: minibus.Reorder},
		"times is -1":                       {On: minibus.OnSend, Do: minibus.Busy, Times: -1},
		"chance is 2":                       {On: minibus.OnSend, Do: minibus.Busy, Chance: 2},
		"delay is 0s":                       {On: minibus.OnSend, Do: minibus.Delay},
		"delay is 1s":                       {On: minibus.OnSend, Do: minibus.Busy, Delay: minibus.Duration(time.Second)},
		"it stands where on is send":        {On: minibus.OnSettle, Do: minibus.Busy, Session: "a"},
		`use a pattern like "order-*"`:      {On: minibus.OnSend, Do: minibus.Busy, Session: "[a"},
		"condition and text stand where do": {On: minibus.OnSend, Do: minibus.Busy, Text: "x"},
	} {
		err := bus.Inject(f)
		require.ErrorIs(t, err, minibus.ErrFault)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, bus.Faults())
}

// TestFaultsAreForWhatIsThere: one for another entity would never happen, and nobody would know.
func TestFaultsAreForWhatIsThere(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	busy := func(entity string) minibus.Fault {
		return minibus.Fault{Entity: entity, On: minibus.OnSend, Do: minibus.Busy}
	}
	for _, entity := range []string{"plan", "plain/none", "plain/$management"} {
		err := bus.Inject(busy("plain"), busy(entity))
		require.ErrorIs(t, err, minibus.ErrFault)
		require.ErrorContains(t, err, `entity is "`+entity+`": there is none of that path; there are `)
		require.ErrorContains(t, err, "plain")
	}
	require.Empty(t, bus.Faults(), "all of a list or nothing")
	require.NoError(t, bus.Inject(busy(""), busy("plain"), busy("PLAIN"), busy("plain/$DeadLetterQueue")))
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	ask := func(method, contentType, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+bus.AdminAddr+"/relaybox/faults", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", contentType)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, strings.TrimSpace(string(text))
	}
	const wire = "application/json"
	status, text := ask("POST", wire, `[{"on":"send","do":"busy","times":1},{"entity":"plain","on":"send","do":"delay","delay":"5ms"}]`)
	require.Equal(t, 200, status, text)
	require.JSONEq(t, `[{"on":"send","do":"busy","times":1,"fired":0},{"entity":"plain","on":"send","do":"delay","delay":"5ms","fired":0}]`, text)
	require.Error(t, sender(t, once(t, bus), "plain").SendMessage(t.Context(), message("x"), nil))
	status, text = ask("GET", "", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, `"fired":1`)

	for _, bad := range []struct {
		contentType, body, want string
		status                  int
	}{
		{"text/plain", `{"on":"send","do":"busy"}`, "send application/json", 415},
		{wire, `{"on":`, "the body is no JSON", 400},
		{wire, `{"on":"send","do":"busy","time":1}`, `unknown field "time"; the fields are entity, on, do`, 400},
		{wire, `{"on":"send","do":"delay","delay":"soon"}`, `"soon" is no duration: write it like 250ms`, 400},
		{wire, `{"on":"send","do":"explode"}`, `do is "explode": with on "send" use refuse, busy, delay`, 400},
		{wire, `{"entity":"plan","on":"send","do":"busy"}`, `entity is "plan": there is none of that path`, 400},
		{wire, strings.Repeat(" ", 2<<20), "too large", 400},
	} {
		status, text := ask("POST", bad.contentType, bad.body)
		require.Equal(t, bad.status, status)
		require.Contains(t, text, bad.want)
	}
	page, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+bus.AdminAddr+"/relaybox/faults", strings.NewReader(`{"on":"send","do":"busy"}`))
	require.NoError(t, err)
	page.Header.Set("Content-Type", wire)
	page.Host = "some.page.example"
	refused, err := http.DefaultClient.Do(page)
	require.NoError(t, err)
	require.NoError(t, refused.Body.Close())
	require.Equal(t, 403, refused.StatusCode, "a page whose name resolves to this machine")
	require.Len(t, bus.Faults(), 2)
	status, text = ask("DELETE", "", "")
	require.Equal(t, 200, status)
	require.Equal(t, "[]", text)
	status, _ = ask("PUT", wire, "")
	require.Equal(t, 405, status)
}
