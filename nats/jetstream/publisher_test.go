package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]PublisherOptions{"": {}, "OneAtATime": {Window: 1}} {
		t.Run("Publisher"+name, func(t *testing.T) {
			outboxtest.TestPublisher(t, func(t *testing.T) outboxtest.Broker {
				b, w := run(t), newWire()
				limit := func(change func(*js.StreamConfig)) func() {
					return func() {
						c := streamConfig()
						change(&c)
						_, err := b.js.UpdateStream(t.Context(), c)
						require.NoError(t, err)
					}
				}
				return outboxtest.Broker{
					Publisher: b.open(t, Options{Dial: w.Dial}).Publisher(stream, opts),
					Received:  b.received,
					Window:    window, // the server's clock can't be moved
					TooLarge:  300 << 10,
					Down:      w.Cut, Up: w.Heal,
					Stall: w.Hold, Resume: w.Release,
					RefuseAll: limit(func(c *js.StreamConfig) { c.MaxBytes, c.Discard = 1, js.DiscardNew }),
					TakeAll:   limit(func(*js.StreamConfig) {}),
				}
			})
		})
	}
}

// events makes the events that names tell: a1 is number 1 of key a.
func events(names string) []outbox.Event {
	var all []outbox.Event
	for n := range strings.FieldsSeq(names) {
		e := outbox.Event{Key: n[:1], ID: "id-" + n, Type: "t", Envelope: []byte(`{}`)}
		_, _ = fmt.Sscan(n[1:], &e.Seq)
		all = append(all, e)
	}
	return all
}

// outcome renders results: ok, the class, or - for not attempted.
func outcome(results []error) string {
	var words []string
	for _, err := range results {
		switch {
		case err == nil:
			words = append(words, "ok")
		case errors.Is(err, outbox.ErrNotAttempted):
			words = append(words, "-")
		default:
			words = append(words, outbox.ClassOf(err).String())
		}
	}
	return strings.Join(words, ", ")
}

// TestFaultsAreUnderstood: each row is what a server answers, and what follows for the event.
func TestFaultsAreUnderstood(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"stream":"EVENTS","seq":1}`:                                                            "ok, ok",
		`{"stream":"EVENTS","seq":1,"duplicate":true}`:                                           "ok, ok",
		`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum"}}`:   "too large, -",
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`:         "throttled, -",
		`{"error":{"code":500,"err_code":10047,"description":"insufficient storage resources"}}`: "throttled, -",
		`{"error":{"code":503,"err_code":10008,"description":"system temporarily unavailable"}}`: "unavailable, -",
		`{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}`: "unavailable, -",
		`{"error":{"code":503,"err_code":10039,"description":"not enabled for account"}}`:        "unavailable, -",
		`{"error":{"code":429,"err_code":10167,"description":"too many requests"}}`:              "throttled, -",
		`{"error":{"code":403,"err_code":1,"description":"no"}}`:                                 "unauthorized, -",
		`{"error":{"code":400,"err_code":10166,"description":"per-message TTL is disabled"}}`:    "rejected, -",
		`{"error":{"code":409,"err_code":10110,"description":"something else is under way"}}`:    "unavailable, -",
		`something else`: "ambiguous, -",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			b := bare(t)
			_, err := b.js.Conn().Subscribe("events.>", func(m *nats.Msg) { _ = m.Respond([]byte(answer)) })
			require.NoError(t, err)
			require.NoError(t, b.js.Conn().Flush())
			p := b.open(t, Options{}).Publisher(stream, PublisherOptions{})
			results := p.Publish(t.Context(), events("a1 a2"))
			require.Equal(t, want, outcome(results))
			if outbox.ClassOf(results[0]).Permanent() {
				require.NotEmpty(t, outbox.ConditionOf(results[0]))
			}
		})
	}
}

// TestTheOtherCopyIsWaitedFor: the server is at work on the same id, for another dispatcher.
func TestTheOtherCopyIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := bare(t)
	asked := 0
	_, err := b.js.Conn().Subscribe("events.>", func(m *nats.Msg) {
		answer := `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`
		if asked++; asked > 3 {
			answer = `{"stream":"EVENTS","seq":1,"duplicate":true}`
		}
		_ = m.Respond([]byte(answer))
	})
	require.NoError(t, err)
	require.NoError(t, b.js.Conn().Flush())
	require.Equal(t, "ok", outcome(b.open(t, Options{}).Publisher(stream, PublisherOptions{}).Publish(t.Context(), events("a1"))))
}

func TestWhatNoServerIsAsked(t *testing.T) {
	t.Parallel()
	b := run(t)
	p := b.open(t, Options{}).Publisher(stream, PublisherOptions{})
	for name, spoil := range map[string]func(*outbox.Event){
		"no key":           func(e *outbox.Event) { e.Key = "" },
		"no id":            func(e *outbox.Event) { e.ID = "" },
		"a long id":        func(e *outbox.Event) { e.ID = strings.Repeat("x", maxID+1) },
		"a line in its id": func(e *outbox.Event) { e.ID = "a\r\nb: c" },
		"a space":          func(e *outbox.Event) { e.ID = "a " },
	} {
		es := events("a1 b1")
		spoil(&es[0])
		require.Equal(t, "rejected, ok", outcome(p.Publish(t.Context(), es)), name)
	}
	es := events("a1")
	es[0].Envelope = make([]byte, 2<<20) // more than the server takes from anybody
	results := p.Publish(t.Context(), es)
	require.Equal(t, "too large", outcome(results))
	require.Equal(t, "nats:max_payload", outbox.ConditionOf(results[0]))
}

// TestOperatorsMistakes say what they are, keep what is secret, and are over when they are mended.
func TestOperatorsMistakes(t *testing.T) {
	t.Parallel()
	t.Run("no stream", func(t *testing.T) {
		t.Parallel()
		b := bare(t)
		p := b.open(t, Options{}).Publisher(stream, PublisherOptions{})
		require.Equal(t, outbox.Unavailable, outbox.ClassOf(p.Ready(t.Context())))
		require.Equal(t, "unavailable, -", outcome(p.Publish(t.Context(), events("a1 a2"))))
		_, err := b.js.CreateStream(t.Context(), streamConfig())
		require.NoError(t, err)
		require.NoError(t, p.Ready(t.Context()))
		require.Equal(t, "ok, ok", outcome(p.Publish(t.Context(), events("a1 a2"))))
	})
	t.Run("another stream's subjects", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "unavailable", outcome(run(t).open(t, Options{}).Publisher("OTHER", PublisherOptions{}).Publish(t.Context(), events("a1"))))
	})
	t.Run("no right to publish", func(t *testing.T) {
		t.Parallel()
		b := run(t, func(o *server.Options) {
			o.Users = []*server.User{{Username: "admin", Password: "admin"}, {Username: "app", Password: "app", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"other"}}}}}
			o.NoAuthUser = "app"
		})
		p := b.open(t, Options{SendTimeout: time.Hour}).Publisher(stream, PublisherOptions{})
		require.Equal(t, outbox.Unauthorized, outbox.ClassOf(p.Ready(t.Context())))
		require.Equal(t, "unauthorized, -", outcome(p.Publish(t.Context(), events("a1 a2"))))
	})
	t.Run("nobody's user", func(t *testing.T) {
		t.Parallel()
		b := run(t, func(o *server.Options) { o.Users = []*server.User{{Username: "admin", Password: "admin"}} })
		p := b.open(t, Options{}).Publisher(stream, PublisherOptions{})
		refused := func() bool { return outcome(p.Publish(t.Context(), events("a1 a2"))) == "unauthorized, -" }
		for range 3 { // once for each try that the server refuses
			require.Eventually(t, refused, time.Minute, 5*time.Millisecond)
		}
		require.Empty(t, b.received(t, "a"))
	})
	t.Run("no such file", func(t *testing.T) {
		t.Parallel()
		p := closed(t, Open(Connection{URLs: "nats://127.0.0.1:1", Credentials: t.TempDir() + "/app.creds"}, Options{})).Publisher(stream, PublisherOptions{})
		results := p.Publish(t.Context(), events("a1"))
		require.Equal(t, "unauthorized", outcome(results))
		require.ErrorContains(t, results[0], "the file of credentials cannot be read")
	})
}

// TestNobodyThere: and then there is.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	p := closed(t, Open(Connection{URLs: "nats://127.0.0.1:1"}, Options{})).Publisher(stream, PublisherOptions{})
	require.Equal(t, "unavailable, -, unavailable", outcome(p.Publish(t.Context(), events("a1 a2 b1"))))
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(p.Ready(t.Context())))
}

// TestALostConnectionEndsWhatIsOnItsWay at once: nobody will answer.
func TestALostConnectionEndsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	b, w := run(t), newWire()
	p := b.open(t, Options{Dial: w.Dial, SendTimeout: time.Hour}).Publisher(stream, PublisherOptions{})
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	w.Hold()
	told := make(chan string, 1)
	go func() { told <- outcome(p.Publish(t.Context(), events("a2 a3 b1"))) }()
	require.Eventually(t, func() bool { return len(b.received(t, "a")) == 2 && len(b.received(t, "b")) == 1 }, time.Minute, 5*time.Millisecond)
	w.Cut()
	w.Release()
	w.Heal()
	require.Equal(t, "ambiguous, -, ambiguous", <-told)
}

// TestADeafConnectionIsReplaced: nothing comes back over it, not even the answer to a ping.
func TestADeafConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	b, w := run(t), newWire()
	p := b.open(t, Options{Dial: w.Dial}).Publisher(stream, PublisherOptions{})
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	w.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), stallTime+100*time.Millisecond)
	defer cancel()
	require.Equal(t, "ambiguous", outcome(p.Publish(ctx, events("a2"))))
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return p.Publish(ctx, events("a2"))[0] == nil
	}, time.Minute, 10*time.Millisecond)
	require.Len(t, b.received(t, "a"), 2)
}

// TestWhatIsAcknowledgedOutlivesTheServer, and its ids do too.
func TestWhatIsAcknowledgedOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := uint16(0)
	here := func(o *server.Options) {
		o.StoreDir = dir
		if port > 0 {
			o.Port = int(port)
		}
	}
	b := run(t, here)
	c := b.open(t, Options{})
	p := c.Publisher(stream, PublisherOptions{})
	require.Equal(t, "ok, ok", outcome(p.Publish(t.Context(), events("a1 a2"))))
	port = b.Addr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port()
	b.Shutdown()
	b.WaitForShutdown()
	require.Contains(t, []string{"unavailable", "ambiguous"}, outcome(p.Publish(t.Context(), events("a2"))))
	b = bare(t, here)
	var err error
	b.stream, err = b.js.Stream(t.Context(), stream)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return outcome(p.Publish(t.Context(), events("a2 a3"))) == "ok, ok" }, time.Minute, 10*time.Millisecond)
	require.Len(t, b.received(t, "a"), 3)
}

func TestCloseIsFinal(t *testing.T) {
	t.Parallel()
	b := run(t)
	c := b.open(t, Options{})
	p := c.Publisher(stream, PublisherOptions{})
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, c.Close(t.Context()), "twice is fine")
	require.ErrorIs(t, p.Publish(t.Context(), events("a2"))[0], errClosed)
}

// TestEverySendIsTold: with the event, how long it took and what became of it; what never left is
// not told of.
func TestEverySendIsTold(t *testing.T) {
	t.Parallel()
	b := run(t)
	var told []Sent
	p := b.open(t, Options{}).Publisher(stream, PublisherOptions{Observer: func(s Sent) { told = append(told, s) }})
	sent := events("p1 p2 p3")
	sent[1].ID = "no header"
	began := time.Now()
	require.Error(t, errors.Join(p.Publish(t.Context(), sent)...))
	require.Len(t, told, 2, "the third was not attempted")
	for i, s := range told {
		require.Equal(t, stream, s.Stream)
		require.EqualValues(t, i+1, s.Event.Seq)
		require.False(t, s.Began.Before(began))
		require.Positive(t, s.Took)
	}
	require.NoError(t, told[0].Err)
	require.Equal(t, outbox.Rejected, outbox.ClassOf(told[1].Err))
}
