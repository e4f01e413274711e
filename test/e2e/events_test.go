package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// witness is a subscription that nobody receives from: it has what the topic took, in order.
const witness = "witness"

// witnessed adds the witness to the stack's topology, and has the app park after two refusals.
func witnessed(c *stack.Config) {
	names := stack.Defaults()
	c.Topology = stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
	topic := &c.Topology.Topics[0]
	topic.Subscriptions = append(topic.Subscriptions, minibus.Subscription{Name: witness, DefaultMessageTimeToLive: 24 * time.Hour})
	c.Settings["RELAYBOX_PARK_AFTER"] = "2"
}

// took are the messages of a key, as the topic took them.
func (s *system) took(key string) (messages []minibus.Message) {
	for _, m := range s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + witness) {
		if m.SessionID == outbox.Session(key) {
			messages = append(messages, m)
		}
	}
	return messages
}

// outboxDocs are the documents of the outbox, by key, and the number of records.
type outboxDocs struct {
	lastSeq         map[string]int64
	parked, pending map[string]int
	acts            int
}

func (s *system) outbox() outboxDocs {
	s.t.Helper()
	all := outboxDocs{lastSeq: map[string]int64{}, parked: map[string]int{}, pending: map[string]int{}}
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_OUTBOX_CONTAINER"]) {
		var doc struct {
			ID, PK, Kind    string
			LastSeq         int64
			Parked, Pending bool
		}
		require.NoError(s.t, json.Unmarshal(text, &doc))
		switch {
		case doc.ID == "entity":
			all.lastSeq[doc.PK] = doc.LastSeq
		case doc.Kind == "act":
			all.acts++
		case doc.Parked:
			all.parked[doc.PK]++
		case doc.Pending:
			all.pending[doc.PK]++
		}
	}
	return all
}

// write keeps clients at work on the ids until the test says stop: one change after another, of
// each client's own ids.
func (s *system) write(clients int, id func(client, n int) string) (stop func()) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond) // the machine has others to serve
			defer pace.Stop()
			for n := 0; ; n++ {
				_, _ = s.call(http.MethodPut, id(client, n), fmt.Sprintf(`{"displayName":"%d %d"}`, client, n)) // its handler may die
				select {
				case <-ended:
					return
				case <-pace.C:
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(ended)
		all.Wait()
	})
}

// park has the broker refuse what matches, until so many keys are parked.
func (s *system) park(sessions string, keys int) {
	s.t.Helper()
	require.NoError(s.t, s.Bus.Inject(minibus.Fault{
		Entity: s.Settings["EVENTS_TOPIC"], On: minibus.OnSend, Do: minibus.Refuse, Condition: "amqp:not-allowed", Text: "this one is not welcome", Session: sessions,
	}))
	for k := range keys {
		s.put(fmt.Sprintf("bad-%d", k), "first")
		s.put(fmt.Sprintf("bad-%d", k), "second")
	}
	require.Eventually(s.t, func() bool { return len(s.outbox().parked) == keys }, time.Minute, 50*time.Millisecond, "all of them are parked")
}

// TestEventsAreRedrivenTwice: the broker takes everything but the events of a hundred keys, and these
// are parked, while clients go on with them and with others. The cause mended, an operator who
// has the command line only puts them back; that run is killed in the middle, and the handler, too.
// The next run does the rest, and one more nothing. Each event reaches the topic and its view,
// once and in order.
func TestEventsAreRedrivenTwice(t *testing.T) {
	t.Parallel()
	const keys = 100
	s := start(t, witnessed)
	stop := s.write(4, func(client, n int) string {
		if client == 0 {
			return fmt.Sprint("bad-", n%keys)
		}
		return fmt.Sprintf("well-%d-%d", client, n%50)
	})
	t.Cleanup(stop)
	began := time.Now()
	s.park("profile:bad-*", keys)
	require.Len(t, s.operate(0, "events", "list").Events, keys)
	require.Len(t, s.operate(0, "events", "list", "--cause", "not welcome", "--key", "profile:bad-7").Events, 1)
	require.NotEmpty(t, s.operate(0, "events", "list", "--pending", "--key", "profile:bad-7").Events)

	s.Bus.ClearFaults()
	// Each wave of keys is put back at once, and its answers come late: the run dies before it
	// has told of any.
	entities := s.Settings["COSMOS_OUTBOX_CONTAINER"]
	require.NoError(t, s.Cosmos.Inject(minicosmos.Fault{Container: entities, On: minicosmos.OpPatch, Do: minicosmos.Delay, Delay: minicosmos.Duration(2 * time.Second)}))
	dying := s.relaybox("events", "redrive", "--all")
	require.NoError(t, dying.Start())
	s.eventually(func() bool { o := s.outbox(); return o.acts > 0 && len(o.parked) < keys }, "it has put some back")
	require.NoError(t, dying.Process.Kill())
	require.Error(t, dying.Wait())
	s.killHandler()
	s.Cosmos.ClearFaults()
	require.NotEmpty(t, s.outbox().parked, "it was killed in the middle")

	got := s.operate(0, "events", "redrive", "--all", "--author", "ada", "--reason", "mended")
	require.NotZero(t, got.Counts["redriven"])
	redriven := got.Counts["redriven"]
	require.Empty(t, s.operate(0, "events", "redrive", "--all").Counts, "there is nothing left to do")

	stop()
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
	s.arrived()
	s.recorded(keys, redriven, time.Since(began))
}

// arrived looks at the topic and the views: each event is there, once and in order. Of some keys
// one was skipped: a marker is in its place.
func (s *system) arrived(skipped ...string) {
	s.t.Helper()
	reached := map[string]int64{}
	for _, m := range s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + witness) {
		if m.Properties["seq"] == nil || m.Properties["redrivenid"] != nil {
			continue // no event, or a dead letter's copy: it has been here before
		}
		reached[m.SessionID]++
		require.EqualValues(s.t, reached[m.SessionID], m.Properties["seq"], "%s at the topic", m.SessionID)
	}
	want := s.outbox().lastSeq
	require.Equal(s.t, want, reached, "no event is missing")
	views := func() map[string]int64 {
		applied := map[string]int64{}
		for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_INBOX_CONTAINER"]) {
			var m model
			require.NoError(s.t, json.Unmarshal(text, &m))
			if m.Kind != "model" {
				continue
			}
			require.Zero(s.t, m.Gaps, m.PK)
			for _, n := range m.Data.View.Applied {
				applied[m.PK] += n
			}
			if slices.Contains(skipped, m.PK) {
				applied[m.PK]++
			}
			require.Equal(s.t, m.LastSeq, applied[m.PK], "%s: each event has one effect", m.PK)
		}
		return applied
	}
	s.eventually(func() bool { return fmt.Sprint(views()) == fmt.Sprint(want) }, "every event has its effect")
	s.nothingDeadLettered()
}

// recorded looks at the records of the killed run and of ada's behind it.
func (s *system) recorded(keys, redriven int, within time.Duration) {
	s.t.Helper()
	begun, done, acted := 0, 0, map[string]bool{}
	var last time.Time
	for _, a := range s.operate(0, "events", "history").Acts {
		require.True(s.t, last.IsZero() || !a.At.After(last), "the newest first")
		require.Contains(s.t, a.Fault.Reason, "not welcome")
		require.NotEqual(s.t, outbox.ActFailed, a.State, a.Error)
		last, acted[a.Key] = a.At, true
		switch {
		case a.State == outbox.ActDone && a.Author == "ada" && a.Reason == "mended":
			done++
		case a.State == outbox.ActBegun:
			begun++
		}
	}
	require.NotZero(s.t, begun, "the run that was killed has said so much")
	require.Equal(s.t, redriven, done)
	if within < time.Minute { // later, some have gone by themselves
		require.Len(s.t, acted, keys, "each was put back by an operator")
	}
}

// TestAnEventIsSkipped: a marker goes out under its number, then those behind it, and the view counts
// on from it.
func TestAnEventIsSkipped(t *testing.T) {
	t.Parallel()
	s := start(t, witnessed)
	stop := s.write(1, func(_, n int) string { return fmt.Sprint("well-", n%50) })
	t.Cleanup(stop)
	s.park("profile:bad-0", 1)
	s.Bus.ClearFaults() // the marker is of the same session
	require.Equal(t, map[string]int{"skipped": 1}, s.operate(0, "events", "skip", "profile:bad-0/1", "--yes", "--reason", "nobody wants it").Counts)
	s.eventually(func() bool { return len(s.took("profile:bad-0")) == 2 }, "the marker and its follower are at the topic")
	got := s.took("profile:bad-0")
	require.Equal(t, outbox.SkippedType, got[0].Subject)
	require.EqualValues(t, 1, got[0].Properties["seq"])
	require.EqualValues(t, 2, got[1].Properties["seq"])
	require.NotEqual(t, outbox.SkippedType, got[1].Subject)
	s.eventually(func() bool { o := s.outbox(); return o.parked["profile:bad-0"]+o.pending["profile:bad-0"] == 0 }, "nothing is left of it")
	m := s.consumed("bad-0", 2)
	require.Equal(t, "second", m.Data.State.DisplayName)
	require.Equal(t, map[string]int64{"updated": 1}, m.Data.View.Applied, "what was skipped has no effect")
	s.nothingDeadLettered()
	act := s.operate(0, "events", "history").Acts[0]
	require.Equal(t, []any{outbox.VerbSkip, outbox.ActDone, "nobody wants it"}, []any{act.Verb, act.State, act.Reason})
	require.Contains(t, string(act.Envelope), act.Event)
}

// TestAKindIsPausedAndResumed: nothing of it is sent from three seconds on, through a kill of the
// handler; the answers and other keys know nothing of that, and afterwards everything goes out, in order.
func TestAKindIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	s := start(t, witnessed)
	s.put("held", "first")
	s.consumed("held", 1)
	said := s.operate(0, "pause", "--key", "profile:held", "--reason", "a subscriber is being mended")
	require.EqualValues(t, "done", said.State)
	n := 0
	s.eventually(func() bool {
		n++ // the same again would be no change, and no event
		s.put("held", fmt.Sprint("waits ", n))
		return s.outbox().pending["profile:held"] >= 3
	}, "the instance has heard of it")
	s.killHandler()
	s.put("held", "waits, too")
	s.put("free", "first")
	s.consumed("free", 1)
	waiting := s.outbox().pending["profile:held"]
	require.GreaterOrEqual(t, waiting, 3)
	require.Len(t, s.operate(0, "pause", "--list").Pauses, 1)
	s.operate(0, "resume", "--key", "profile:held")
	s.eventually(func() bool { return s.pending() == 0 }, "what has waited goes out")
	s.arrived()
	require.Len(t, s.operate(0, "events", "history").Acts, 2)
}
