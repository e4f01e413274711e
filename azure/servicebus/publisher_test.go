package servicebus

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/outbox"
	"github.com/stretchr/testify/require"
)

// over starts a publisher with one lane on b and stops it with the test.
func over(t *testing.T, b *memBroker, opts PublisherOptions) *Publisher {
	opts.Lanes = max(opts.Lanes, 1)
	p := newPublisher("topic", opts, 10*time.Second, b.attach)
	t.Cleanup(func() { require.NoError(t, p.stop(context.WithoutCancel(t.Context()))) })
	return p
}

func TestCallsThatWaitGoOutTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		var wg sync.WaitGroup
		for _, names := range []string{"a1", "b1 b2", "c1", "d1"} {
			wg.Go(func() { require.NoError(t, errors.Join(p.Publish(t.Context(), events(names))...)) })
			synctest.Wait() // the first is under way, the others queue in this order
		}
		close(b.hold)
		wg.Wait()
		require.Equal(t, []string{"a1", "b1 b2 c1 d1"}, b.sent())
	})
}

func TestLanesKeepOrderPerKey(t *testing.T) {
	t.Parallel()
	b := &memBroker{batchMax: 7} // three events
	p := over(t, b, PublisherOptions{Lanes: 3})
	results := p.Publish(t.Context(), events("a1 b1 c1 d1 a2 b2 c2 d2 a3 b3 c3 d3"))
	require.Equal(t, strings.TrimSuffix(strings.Repeat("ok, ", 12), ", "), outcome(results))
	all := strings.Fields(strings.Join(b.sent(), " "))
	for _, key := range []string{"a", "b", "c", "d"} {
		got := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n[:1] != key })
		require.Equal(t, []string{key + "1", key + "2", key + "3"}, got)
	}
}

// Each row: what a broker refuses, and what becomes of the events of one call.
func TestFaultsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	refuse := func(poison string, err error) func([]string) error {
		return func(names []string) error {
			if slices.Contains(names, poison) {
				return err
			}
			return nil
		}
	}
	notAllowed := &amqp.Error{Condition: amqp.ErrCondNotAllowed, Description: "no"}
	masked := errors.New("the peer rejected the message without specifying an error")
	for name, row := range map[string]struct {
		broker      *memBroker
		in, out     string
		sends, uses int // sends that counted; attaches, 0 for any
	}{
		"poison first":                  {&memBroker{refuse: refuse("a1", notAllowed)}, "a1 a2 b1 c1", "rejected, -, ok, ok", 2, 0},
		"poison in between":             {&memBroker{refuse: refuse("a2", notAllowed)}, "a1 a2 a3 b1", "ok, rejected, -, ok", 2, 0},
		"poison last":                   {&memBroker{refuse: refuse("b1", masked)}, "a1 a2 b1", "ok, ok, rejected", 2, 0},
		"poison, and more than a batch": {&memBroker{batchMax: 4, refuse: refuse("a1", notAllowed)}, "a1 b1 a2 b2", "rejected, ok, -, ok", 2, 0},
		"poison, and throttled alone": {&memBroker{refuse: func(names []string) error {
			switch {
			case len(names) > 1:
				return notAllowed
			case names[0] == "b1":
				return &amqp.Error{Condition: "com.microsoft:server-busy"}
			}
			return nil
		}}, "a1 b1 b2 c1", "ok, throttled, -, throttled", 1, 0},
		"poison alone":     {&memBroker{refuse: refuse("a1", notAllowed)}, "a1", "rejected", 0, 1},
		"too large":        {&memBroker{batchMax: 1, singleMax: 1}, "a1 b1", "too large, too large", 0, 0},
		"large goes alone": {&memBroker{batchMax: 1, singleMax: 9}, "a1 b1", "ok, ok", 2, 0},
		"throttled": {&memBroker{refuse: refuse("b1", &amqp.Error{Condition: "com.microsoft:server-busy"})}, "a1 a2 b1 c1",
			"throttled, -, throttled, throttled", 0, 1},
		"entity full":   {&memBroker{refuse: refuse("a1", &amqp.Error{Condition: amqp.ErrCondResourceLimitExceeded})}, "a1 b1", "throttled, throttled", 0, 1},
		"away":          {&memBroker{attachErr: io.EOF}, "a1 a2 b1", "unavailable, -, unavailable", 0, 1},
		"no batch":      {&memBroker{batchErr: io.EOF}, "a1 a2 b1", "unavailable, -, unavailable", 0, 1},
		"lost for good": {&memBroker{refuse: refuse("a1", &amqp.ConnError{})}, "a1 b1", "unavailable, unavailable", 0, 2},
		"no right":      {&memBroker{attachErr: &amqp.Error{Condition: amqp.ErrCondUnauthorizedAccess}}, "a1", "unauthorized", 0, 1},
		"not encodable": {&memBroker{broken: "a2"}, "a1 a2 a3 b1", "ok, rejected, -, ok", 1, 0},
		"long id":       {&memBroker{}, "a1", "rejected", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := events(row.in)
			if name == "long id" {
				in[0].ID = strings.Repeat("x", 129)
			}
			require.Equal(t, row.out, outcome(over(t, row.broker, PublisherOptions{}).Publish(t.Context(), in)))
			require.Len(t, row.broker.sends, row.sends)
			if row.uses > 0 {
				require.Equal(t, row.uses, row.broker.attaches)
			}
		})
	}
}

func TestStaleLinkIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	first := true
	b := &memBroker{refuse: func([]string) error {
		if first {
			first = false
			return &amqp.LinkError{RemoteErr: &amqp.Error{Condition: amqp.ErrCondMessageSizeExceeded}} // of an older message
		}
		return nil
	}}
	require.Equal(t, "ok, ok", outcome(over(t, b, PublisherOptions{}).Publish(t.Context(), events("a1 b1"))))
	require.Equal(t, 1, b.retired)
	require.Equal(t, []string{"a1 b1"}, b.sent())
}

// TestALinkWithoutBatchesIsGivenUp: the next send makes another.
func TestALinkWithoutBatchesIsGivenUp(t *testing.T) {
	t.Parallel()
	b := &memBroker{batchErr: io.EOF}
	require.Equal(t, "unavailable", outcome(over(t, b, PublisherOptions{}).Publish(t.Context(), events("a1"))))
	require.Equal(t, 1, b.retired)
}

// TestASecondAttemptSettlesNothingTwice: what could not go the first time has its result.
func TestASecondAttemptSettlesNothingTwice(t *testing.T) {
	t.Parallel()
	var attempts, letGo chan struct{}
	b := &memBroker{refuse: func([]string) error {
		if attempts <- struct{}{}; len(attempts) == 1 {
			return &amqp.LinkError{RemoteErr: &amqp.Error{Condition: amqp.ErrCondDetachForced}}
		}
		<-letGo
		return nil
	}}
	in := events("a1 a2 b1")
	in[0].ID = strings.Repeat("x", 129)
	synctest.Test(t, func(t *testing.T) {
		attempts, letGo = make(chan struct{}, 2), make(chan struct{})
		p := over(t, b, PublisherOptions{})
		told := make(chan string, 1)
		go func() { told <- outcome(p.Publish(t.Context(), in)) }()
		synctest.Wait()
		require.Len(t, attempts, 2)
		require.Empty(t, told, "b1 is on its way, and nobody knows yet")
		close(letGo)
		require.Equal(t, "rejected, -, ok", <-told)
	})
	require.Equal(t, []string{"b1"}, b.sent())
}

// TestALargeEventGoesAlone: what follows it is neither left out nor taken for sent.
func TestALargeEventGoesAlone(t *testing.T) {
	t.Parallel()
	b := &memBroker{batchMax: 5, singleMax: 100}
	in := events("a1 a2 b1")
	in[0].Envelope = []byte(`{"long":true}`)
	require.Equal(t, "ok, ok, ok", outcome(over(t, b, PublisherOptions{}).Publish(t.Context(), in)))
	require.Equal(t, []string{"a1", "a2 b1"}, b.sent())
}

// TestOneSessionPerBatch: a partitioned entity need not refuse anything first.
func TestOneSessionPerBatch(t *testing.T) {
	t.Parallel()
	b := &memBroker{}
	require.Equal(t, "ok, ok, ok, ok", outcome(over(t, b, PublisherOptions{OneSessionPerBatch: true}).Publish(t.Context(), events("a1 b1 c1 b2"))))
	require.Equal(t, []string{"a1", "b1 b2", "c1"}, b.sent())
}

func TestMixtureThatIsRefusedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	b := &memBroker{refuse: func(names []string) error {
		for _, n := range names {
			if n[:1] != names[0][:1] {
				return &amqp.Error{Condition: amqp.ErrCondNotAllowed, Description: "sessions differ"}
			}
		}
		return nil
	}}
	p := over(t, b, PublisherOptions{})
	require.Equal(t, "ok, ok, ok", outcome(p.Publish(t.Context(), events("a1 b1 a2"))))
	require.Equal(t, []string{"a1", "b1", "a2"}, b.sent())
	require.Equal(t, "ok, ok, ok", outcome(p.Publish(t.Context(), events("a3 b2 a4"))))
	require.Equal(t, []string{"a3 a4", "b2"}, b.sent()[3:])
}

// TestWhatIsNoMixture: a batch that was refused for one of its messages, or that is of one key,
// says nothing about batches of several keys.
func TestWhatIsNoMixture(t *testing.T) {
	t.Parallel()
	refusal := &amqp.Error{Condition: amqp.ErrCondNotAllowed}
	for name, c := range map[string]struct {
		refuses    func(names []string) bool
		first, out string
	}{
		"poison":  {func(names []string) bool { return slices.Contains(names, "a1") }, "a1 b1", "rejected, ok"},
		"one key": {func(names []string) bool { return len(names) == 2 && names[0] == "a1" }, "a1 a2", "ok, ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &memBroker{refuse: func(names []string) error {
				if c.refuses(names) {
					return refusal
				}
				return nil
			}}
			p := over(t, b, PublisherOptions{})
			require.Equal(t, c.out, outcome(p.Publish(t.Context(), events(c.first))))
			require.Equal(t, "ok, ok", outcome(p.Publish(t.Context(), events("a3 b3"))))
			require.Equal(t, "a3 b3", b.sent()[len(b.sent())-1])
		})
	}
}

// A broker that takes and never answers holds up nobody longer than they are willing
// to wait, and the lane no longer than its most patient caller.
func TestStalledBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.Equal(t, "timeout, -, timeout", outcome(p.Publish(ctx, events("a1 a2 b1"))))
		require.Equal(t, 3*time.Second, time.Since(start))

		synctest.Wait() // the lane gives up at the same moment
		close(b.hold)
		require.Equal(t, "ok, ok", outcome(p.Publish(t.Context(), events("a1 a2"))))
		require.Equal(t, []string{"a1 a2"}, b.sent())
	})
}

func TestWhatNobodyWaitsForIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		go p.Publish(t.Context(), events("a1"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, "timeout, -", outcome(p.Publish(ctx, events("b1 b2"))))
		close(b.hold)
		require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("c1"))))
		require.Equal(t, []string{"a1", "c1"}, b.sent())
	})
}

// TestASendIsAsPatientAsItsCallers: as the most patient of them, and no more than a send may be.
func TestASendIsAsPatientAsItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		publish := func(names string, patience time.Duration) string {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			return outcome(p.Publish(ctx, events(names)))
		}
		var wg sync.WaitGroup
		for _, c := range []struct {
			names, want string
			patience    time.Duration
		}{{"a1", "ok", time.Hour}, {"b1", "ok", 9 * time.Second}, {"c1", "timeout", 2 * time.Second}} {
			wg.Go(func() { require.Equal(t, c.want, publish(c.names, c.patience)) })
			synctest.Wait() // b1 and c1 go together
		}
		b.hold <- struct{}{}
		time.Sleep(3 * time.Second)
		b.hold <- struct{}{}
		wg.Wait()
		require.Equal(t, []string{"a1", "b1 c1"}, b.sent())

		begun := time.Now()
		require.Equal(t, "timeout", publish("d1", time.Hour))
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

func TestSendTimeoutWithoutDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		start := time.Now()
		results := p.Publish(t.Context(), events("a1 a2"))
		require.Equal(t, "timeout, -", outcome(results))
		require.ErrorIs(t, results[0], errNoAnswer)
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, 1, b.retired)
	})
}

func TestStopFinishesWhatIsQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := over(t, b, PublisherOptions{})
		var results [2]string
		var wg sync.WaitGroup
		for i, names := range []string{"a1", "b1"} {
			wg.Go(func() { results[i] = outcome(p.Publish(t.Context(), events(names))) })
			synctest.Wait()
		}
		stopped := make(chan error)
		go func() { stopped <- p.stop(t.Context()) }()
		synctest.Wait()
		require.Equal(t, "unavailable", outcome(p.Publish(t.Context(), events("c1"))), "no new work")
		close(b.hold)
		require.NoError(t, <-stopped)
		wg.Wait()
		require.Equal(t, [2]string{"ok", "ok"}, results)
	})
}

func TestStopCutsWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &memBroker{hold: make(chan struct{})}
		p := newPublisher("topic", PublisherOptions{Lanes: 1}, 10*time.Second, b.attach)
		var result string
		var wg sync.WaitGroup
		wg.Go(func() { result = outcome(p.Publish(t.Context(), events("a1"))) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		require.ErrorIs(t, p.stop(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begun))
		select {
		case <-p.lanes[0].gone:
		default:
			t.Error("the lane goes on behind stop's back")
		}
		wg.Wait()
		require.Equal(t, "timeout", result)
	})
}

// TestALaneSendsWhatItHasBeforeItEnds: a call may have entered just before the publisher was closed.
func TestALaneSendsWhatItHasBeforeItEnds(t *testing.T) {
	t.Parallel()
	for range 30 { // a lane that sees both picks either
		b := &memBroker{}
		p := newPublisher("topic", PublisherOptions{Lanes: 1}, 10*time.Second, b.attach)
		c := newCall(t.Context(), "topic")
		c.add(&events("a1")[0], 0)
		p.lanes[0].queue <- c
		close(p.closed)
		p.lanes[0].run(t.Context())
		require.Equal(t, []string{"a1"}, b.sent())
	}
}

// TestWhoFindsNoRoom in a lane's queue waits for it as long as it may, and no longer than the lane lives.
func TestWhoFindsNoRoom(t *testing.T) {
	t.Parallel()
	told := func(c *call) string {
		results := make([]error, 1)
		c.report(results)
		return outcome(results)
	}
	enter := func(ctx context.Context) (*lane, *call) {
		l := &lane{p: newPublisher("topic", PublisherOptions{}, time.Second, nil), queue: make(chan *call), gone: make(chan struct{})}
		c := newCall(ctx, "topic")
		c.add(&events("a1")[0], 0)
		return l, c
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l, c := enter(ctx)
		l.enter(ctx, c)
		require.Equal(t, "timeout", told(c))

		l, c = enter(t.Context())
		time.AfterFunc(time.Second, func() { close(l.p.closed) })
		l.enter(t.Context(), c)
		require.Equal(t, "unavailable", told(c))

		l, c = enter(t.Context())
		close(l.gone)
		l.wait(t.Context(), c)
		require.Equal(t, "unavailable", told(c), "it came when the lane was ending")
	})
}

// TestOpenAsSomebody: in Azure the app's identity opens the namespace. That takes no request.
func TestOpenAsSomebody(t *testing.T) {
	t.Parallel()
	client, err := Connection{Namespace: "x.servicebus.windows.net"}.open(anybody{}, nil)
	require.NoError(t, err)
	require.NoError(t, client.Close(t.Context()))
	require.Len(t, newPublisher("topic", PublisherOptions{}, time.Second, nil).lanes, 4, "lanes, by default")
}

// anybody is a credential that is not asked.
type anybody struct{ azcore.TokenCredential }

func TestDiagnose(t *testing.T) {
	t.Parallel()
	plain := func(c amqp.ErrCond) error { return &amqp.Error{Condition: c} }
	detach := func(c amqp.ErrCond) error { return &amqp.LinkError{RemoteErr: &amqp.Error{Condition: c}} }
	code := func(c azservicebus.Code) error { return &azservicebus.Error{Code: c} }
	for _, row := range []struct {
		name string
		err  error
		attaching,
		sending outbox.Class
		broken bool // when it came to a send
	}{
		{"busy", plain("com.microsoft:server-busy"), outbox.Throttled, outbox.Throttled, false},
		{"busy, detached", detach("com.microsoft:server-busy"), outbox.Throttled, outbox.Throttled, true},
		{"full", plain(amqp.ErrCondResourceLimitExceeded), outbox.Throttled, outbox.Throttled, false},
		{"broker timeout", plain("com.microsoft:timeout"), outbox.Timeout, outbox.Timeout, true},
		{"cancelled", plain("com.microsoft:operation-cancelled"), outbox.Unavailable, outbox.Unavailable, true},
		{"detached", detach(amqp.ErrCondDetachForced), outbox.Unavailable, outbox.Unavailable, true},
		{"connection closed", &amqp.ConnError{RemoteErr: &amqp.Error{Condition: amqp.ErrCondConnectionForced}}, outbox.Unavailable, outbox.Unavailable, true},
		{"connection lost", code(azservicebus.CodeConnectionLost), outbox.Unavailable, outbox.Unavailable, true},
		{"refused", io.EOF, outbox.Unavailable, outbox.Unavailable, true},
		{"closed", code(azservicebus.CodeClosed), outbox.Unavailable, outbox.Unavailable, true},
		{"unauthorized", code(azservicebus.CodeUnauthorizedAccess), outbox.Unauthorized, outbox.Unauthorized, true},
		{"claim missing", plain(amqp.ErrCondUnauthorizedAccess), outbox.Unauthorized, outbox.Unauthorized, true},
		{"no token", &access.TokenError{Err: io.EOF}, outbox.Unauthorized, outbox.Unauthorized, true},
		{"not found", code(azservicebus.CodeNotFound), outbox.Unavailable, outbox.Unavailable, true},
		{"not found, attach", plain(amqp.ErrCondNotFound), outbox.Unavailable, outbox.Unavailable, true},
		{"disabled", plain("com.microsoft:entity-disabled"), outbox.Unavailable, outbox.Unavailable, true},
		{"no session", plain(amqp.ErrCondNotAllowed), outbox.Unavailable, outbox.Rejected, false},
		{"argument", plain("com.microsoft:argument-error"), outbox.Unavailable, outbox.Rejected, false},
		{"size", plain(amqp.ErrCondMessageSizeExceeded), outbox.Unavailable, outbox.TooLarge, false},
		{"size, detached", detach(amqp.ErrCondMessageSizeExceeded), outbox.Unavailable, outbox.TooLarge, true},
		{"size, session", &amqp.SessionError{RemoteErr: &amqp.Error{Condition: amqp.ErrCondMessageSizeExceeded}}, outbox.Unavailable, outbox.TooLarge, true},
		{"size, connection", &amqp.ConnError{RemoteErr: &amqp.Error{Condition: amqp.ErrCondMessageSizeExceeded}}, outbox.Unavailable, outbox.TooLarge, true},
		{"no reason", errors.New("the peer rejected the message without specifying an error"), outbox.Unavailable, outbox.Rejected, false},
		{"bad setting", &access.SettingError{Err: io.EOF}, outbox.Unauthorized, outbox.Unauthorized, true},
		{"cut", context.Canceled, outbox.Timeout, outbox.Timeout, true},
		{"too large", azservicebus.ErrMessageTooLarge, outbox.TooLarge, outbox.TooLarge, false},
		{"no answer", context.DeadlineExceeded, outbox.Timeout, outbox.Timeout, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.attaching, diagnose(t.Context(), row.err, attaching).class)
			f := diagnose(t.Context(), row.err, sending)
			require.Equal(t, row.sending, f.class)
			require.Equal(t, row.broken, f.broken)
		})
	}
}

// TestRefusalsAreReadable: what the broker said stands in logs, and beside what it parked.
func TestRefusalsAreReadable(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"amqp:not-allowed: no": &amqp.Error{Condition: amqp.ErrCondNotAllowed, Description: "no"},
		"amqp:not-allowed":     &amqp.Error{Condition: amqp.ErrCondNotAllowed},
		"EOF":                  io.EOF,
	} {
		require.EqualError(t, diagnose(t.Context(), err, sending).err, want)
	}
}

// TestWhatRefusalsAreComparedBy: the broker's own name for it. What was never answered has
// none, whatever the error says.
func TestWhatRefusalsAreComparedBy(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"amqp:not-allowed":                &amqp.Error{Condition: amqp.ErrCondNotAllowed},
		"amqp:link:message-size-exceeded": azservicebus.ErrMessageTooLarge,
		"rejected":                        errors.New("the peer rejected the message without specifying an error"),
		"":                                io.EOF,
	} {
		f := diagnose(t.Context(), err, sending)
		require.Equal(t, want, f.condition)
		require.ErrorIs(t, f.err, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	f := diagnose(ctx, &amqp.Error{Condition: amqp.ErrCondNotAllowed}, sending)
	require.Equal(t, outbox.Timeout, f.class)
	require.Empty(t, f.condition)
	require.ErrorIs(t, f.err, errNoAnswer)
	require.ErrorIs(t, f.err, io.ErrClosedPipe)
}

// TestFlightsAreBounded: what waits goes out in flights of at most so many events, or bytes,
// and one call more.
func TestFlightsAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ bytes, want int }{"events": {2, flightEvents}, "bytes": {flightBytes / 4, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lane{queue: make(chan *call, 2*flightEvents)}
			for range 2 * flightEvents {
				one := newCall(t.Context(), "topic")
				one.add(&outbox.Event{Envelope: make([]byte, c.bytes)}, 0)
				l.queue <- one
			}
			require.Len(t, l.gather(<-l.queue), c.want)
			require.Len(t, l.gather(<-l.queue), c.want)
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		conn  Connection
		fault string
	}{
		"emulator": {Connection{ConnectionString: "Endpoint=sb://localhost:5672;SharedAccessKeyName=a;SharedAccessKey=b=;UseDevelopmentEmulator=true;"}, ""},
		"identity": {Connection{Namespace: "x.servicebus.windows.net", ClientID: "id"}, ""},
		"both": {
			Connection{Namespace: "x.servicebus.windows.net", ConnectionString: "Endpoint=sb://x;SharedAccessKeyName=a;SharedAccessKey=b"},
			"both a namespace and a connection string are set",
		},
		"signature":        {Connection{ConnectionString: "Endpoint=sb://x;SharedAccessSignature=s"}, ""},
		"no key's name":    {Connection{ConnectionString: "Endpoint=sb://x;SharedAccessKey=a"}, "SharedAccessKeyName is missing"},
		"wrong place":      {Connection{Namespace: "Endpoint=sb://x;SharedAccessKey=b"}, "it looks like a connection string"},
		"nothing":          {Connection{}, "neither a namespace nor a connection string is set"},
		"no endpoint":      {Connection{ConnectionString: "SharedAccessKey=b"}, "Endpoint is not a URL"},
		"no key":           {Connection{ConnectionString: "Endpoint=sb://x;SharedAccessKeyName=a"}, "SharedAccessKey is missing"},
		"URL as namespace": {Connection{Namespace: "sb://x"}, "is not a name"},
		"other credential": {Connection{Namespace: "x", Credential: "magic"}, `credential "magic" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := row.conn.Validate()
			if row.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.fault)
		})
	}
}

// A caller with little patience is no proof of a stalled broker; a long wait is, and so
// are several in a row.
func TestWhoIsBlamedForSilence(t *testing.T) {
	t.Parallel()
	silence := fault{class: outbox.Timeout, broken: true, err: errNoAnswer}
	for name, row := range map[string]struct {
		faults []fault
		took   time.Duration
		want   bool // retired
	}{
		"impatient":      {[]fault{silence, silence}, 100 * time.Millisecond, false},
		"three in a row": {[]fault{silence, silence, silence}, 100 * time.Millisecond, true},
		"long":           {[]fault{silence}, stallTime, true},
		"refusal":        {[]fault{{class: outbox.Rejected}}, time.Minute, false},
		"lost":           {[]fault{{class: outbox.Unavailable, broken: true, err: io.EOF}}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Open(Connection{ConnectionString: "Endpoint=sb://x;SharedAccessKeyName=a;SharedAccessKey=b"}, Options{})
			s, err := c.session()
			require.NoError(t, err)
			c.busy.Done()
			for _, f := range row.faults {
				(&azLink{client: c, session: s}).failed(f, row.took)
			}
			require.Equal(t, row.want, c.current == nil)
			require.NoError(t, c.Close(t.Context()))
		})
	}
}
