package servicebus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

const graveyard = subscription + "/$DeadLetterQueue"

// cemetery is a subscription with dead letters, and somebody who looks after them.
type cemetery struct {
	*testing.T
	bus    *minibus.Instance
	client *azservicebus.Client
	notice []string
}

func newCemetery(t *testing.T, change ...func(*minibus.Options)) *cemetery {
	bus := minibus.RunT(t, append([]func(*minibus.Options){func(o *minibus.Options) {
		topology(o)
		o.Config.Topics[0].Subscriptions[0].LockDuration = 5 * time.Second
	}}, change...)...)
	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(t.Context())) })
	return &cemetery{T: t, bus: bus, client: client}
}

// open is an operator of its own connection.
func (c *cemetery) open(patience time.Duration) *DeadLetters {
	d, err := OpenDeadLetters(Connection{ConnectionString: c.bus.ConnectionString()}, "events", "all", DeadLetterOptions{
		Patience: patience, Notice: func(text string) { c.notice = append(c.notice, text) },
	})
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, d.Close(c.Context())) })
	return d
}

// envelope is an event's body. since tells incarnations apart, by the second.
func envelope(key string, seq, since int) []byte {
	text, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": fmt.Sprint(key, "-", seq), "source": "/test", "type": "t", "subject": "x", "partitionkey": key, "sequence": fmt.Sprint(seq),
		"incarnation": fmt.Sprint("i-", since), "incarnationfirst": "1", "incarnationsince": fmt.Sprintf("2026-01-01T00:00:%02dZ", since), "incarnationdrawn": "2026-01-01T00:00:00Z",
		"data": map[string]any{},
	})
	require.NoError(nil, err)
	return text
}

// bury sends messages like "a:3" (key and number) or "poison" and dead-letters them, in that order.
func (c *cemetery) bury(reason string, names ...string) {
	for _, name := range names {
		m := &azservicebus.Message{MessageID: new("m-" + name), Body: []byte(name), SessionID: new(name), ApplicationProperties: map[string]any{"traceparent": "00-" + name}}
		var seq int
		if key, n, ok := strings.Cut(name, ":"); ok {
			_, err := fmt.Sscan(n, &seq)
			require.NoError(c, err)
			m.Body, m.SessionID = envelope("k:"+key, seq, 0), new("k:"+key)
		}
		c.deadLetter(reason, m)
	}
}

func (c *cemetery) deadLetter(reason string, m *azservicebus.Message) {
	sender, err := c.client.NewSender("events", nil)
	require.NoError(c, err)
	require.NoError(c, sender.SendMessage(c.Context(), m, nil))
	require.NoError(c, sender.Close(c.Context()))
	r, err := c.client.AcceptSessionForSubscription(c.Context(), "events", "all", *m.SessionID, nil)
	require.NoError(c, err)
	got, err := r.ReceiveMessages(c.Context(), 1, nil)
	require.NoError(c, err)
	require.NoError(c, r.DeadLetterMessage(c.Context(), got[0], &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: new("because")}))
	require.NoError(c, r.Close(c.Context()))
}

// named is what bury called a message.
func named(m minibus.Message) string {
	var e struct{ PartitionKey, Sequence string }
	if json.Unmarshal(m.Body, &e) != nil {
		return string(m.Body)
	}
	return strings.TrimPrefix(e.PartitionKey, "k:") + ":" + e.Sequence
}

// at names the messages of an entity, in order.
func (c *cemetery) at(entity string) (names []string) {
	for _, m := range c.bus.Peek(entity) {
		names = append(names, named(m))
	}
	return names
}

// nothingLocked: who was passed over has been given back, long before the lock ends.
func (c *cemetery) nothingLocked() {
	for _, m := range c.bus.Peek(graveyard) {
		require.False(c, m.Locked, named(m))
	}
}

// TestARunLeavesNoLocks, however many letters lie around what it was asked for: the next run
// need not wait for them.
func TestARunLeavesNoLocks(t *testing.T) {
	t.Parallel()
	c := newCemetery(t, func(o *minibus.Options) { o.Config.Topics[0].Subscriptions[0].LockDuration = 5 * time.Minute })
	var names []string
	for i := range 2*takePage + takePage/2 {
		names = append(names, fmt.Sprint("p", i))
	}
	c.bury("why", names...)
	for _, i := range []int{0, takePage + 3, 2*takePage + 1, len(names) - 1} {
		d := c.open(time.Second)
		plan, err := d.PlanRedrive(t.Context(), called(names[i]), 0)
		require.NoError(t, err)
		var acts []string
		require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
		require.Equal(t, []string{names[i] + " redriven"}, acts)
		require.NoError(t, d.Close(t.Context()))
		c.nothingLocked()
	}
	require.Len(t, c.at(graveyard), len(names)-4)
}

func every(Letter) bool { return true }

func called(names ...string) func(Letter) bool {
	return func(l Letter) bool { return slices.Contains(names, strings.TrimPrefix(l.MessageID, "m-")) }
}

// told collects what became of the letters, as "name outcome".
func told(into *[]string) func(Act) {
	return func(a Act) {
		*into = append(*into, fmt.Sprint(strings.TrimPrefix(a.Letter.MessageID, "m-"), " ", a.Outcome))
	}
}

// TestLettersAreShown: more than a page, with all that is known, and nothing changes.
func TestLettersAreShown(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("first", "a:1")
	c.bury("second", "poison")
	d := c.open(0)
	before := c.bus.Snapshot()
	var seen []Letter
	require.NoError(t, d.Each(t.Context(), 0, func(l Letter) bool { seen = append(seen, l); return true }))
	require.Len(t, seen, 2)
	good, bad := seen[0], seen[1]
	require.NoError(t, good.Unreadable)
	require.Equal(t, []any{"k:a", "k", "m-a:1", "first", "because", "00-a:1", "k:a", int64(1)},
		[]any{good.Key(), good.Kind(), good.MessageID, good.Reason, good.Description, good.Trace(), good.Session, good.Event.Seq})
	require.WithinDuration(t, time.Now(), good.Enqueued, time.Minute)
	require.Zero(t, good.Deliveries)
	require.Error(t, bad.Unreadable)
	require.Equal(t, []any{"poison", "", "poison"}, []any{bad.Key(), bad.Kind(), string(bad.Body)})
	require.Equal(t, before, c.bus.Snapshot())

	var names []string
	for i := range 2*peekPage + 1 {
		names = append(names, fmt.Sprint("p", i))
	}
	c.bury("many", names...)
	count := 0
	require.NoError(t, d.Each(t.Context(), 0, func(Letter) bool { count++; return true }))
	require.Equal(t, 2+len(names), count)
	count = 0
	require.NoError(t, d.Each(t.Context(), bad.Number, func(l Letter) bool { count++; return l.Number < bad.Number+2 }))
	require.Equal(t, 3, count, "from a number, until enough was seen")
}

// TestRedriveKeepsTheOrderOfKeys, whatever the order that they died in.
func TestRedriveKeepsTheOrderOfKeys(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:3", "b:2", "poison", "a:1", "b:1", "a:2")
	c.deadLetter("why", &azservicebus.Message{MessageID: new("m-a:9"), SessionID: new("k:a"), Body: envelope("k:a", 9, 0)})
	c.deadLetter("why", &azservicebus.Message{MessageID: new("m-a:4"), SessionID: new("k:a"), Body: envelope("k:a", 4, 1)}) // of a later incarnation
	d := c.open(0)
	plan, err := d.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	require.Empty(t, plan.Behind)
	var acts []string
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Len(t, acts, 8)
	require.Empty(t, c.at(graveyard))
	of := func(key string) (names []string) {
		for _, n := range c.at(subscription) {
			if strings.HasPrefix(n, key) {
				names = append(names, n)
			}
		}
		return names
	}
	require.Equal(t, []string{"a:1", "a:2", "a:3", "a:9", "a:4"}, of("a:"))
	require.Equal(t, []string{"b:1", "b:2"}, of("b:"))
	require.Equal(t, []string{"poison"}, of("p"))
	for _, m := range c.bus.Peek(subscription) {
		require.True(t, strings.HasPrefix(m.MessageID, "redriven-"), "inside the topic's window the first id would be dropped")
		require.Equal(t, "all", m.Properties[RedrivenFor])
		require.Equal(t, "m-"+named(m), m.Properties[RedrivenID])
		require.NotContains(t, m.Properties, "DeadLetterReason")
		require.NotContains(t, m.Properties, "DeadLetterErrorDescription")
	}
}

// TestWhatDiesAgainIsSentAgain: under another id, or the topic would drop it.
func TestWhatDiesAgainIsSentAgain(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:1")
	d := c.open(0)
	ids := map[string]bool{}
	for range 3 {
		plan, err := d.PlanRedrive(t.Context(), every, 0)
		require.NoError(t, err)
		require.NoError(t, d.Redrive(t.Context(), plan, func(a Act) { ids[a.SentAs] = true }))
		require.Equal(t, []string{"a:1"}, c.at(subscription))
		require.Equal(t, "m-a:1", c.bus.Peek(subscription)[0].Properties[RedrivenID])
		r, err := c.client.AcceptSessionForSubscription(t.Context(), "events", "all", "k:a", nil)
		require.NoError(t, err)
		got, err := r.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		require.NoError(t, r.DeadLetterMessage(t.Context(), got[0], nil))
		require.NoError(t, r.Close(t.Context()))
	}
	require.Len(t, ids, 3)
}

// TestRedriveLeavesNoEarlierOneBehind: its consumer would take it for lost.
func TestRedriveLeavesNoEarlierOneBehind(t *testing.T) {
	t.Parallel()
	c := newCemetery(t, func(o *minibus.Options) { o.Config.Topics[0].Subscriptions[0].LockDuration = 5 * time.Minute })
	c.bury("why", "a:2", "a:1", "b:7", "poison")
	d := c.open(0)
	plan, err := d.PlanRedrive(t.Context(), called("a:2", "b:7"), 0)
	require.NoError(t, err)
	require.Len(t, plan.Behind, 1)
	require.Equal(t, "m-a:2", plan.Behind[0].MessageID)
	var acts []string
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"b:7 redriven"}, acts)

	plan, err = d.PlanRedrive(t.Context(), every, 1)
	require.NoError(t, err)
	require.Len(t, plan.Letters, 1)
	require.Equal(t, "m-a:1", plan.Letters[0].MessageID, "a bound cuts a key at its end")
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"b:7", "a:1"}, c.at(subscription))
	require.Equal(t, []string{"a:2", "poison"}, c.at(graveyard))
	c.nothingLocked()
}

// TestDrop: what was chosen is gone, the rest is where it was.
func TestDrop(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:1", "poison", "a:2", "b:1")
	d := c.open(0)
	plan, err := d.PlanDrop(t.Context(), called("poison", "a:2"), 0)
	require.NoError(t, err)
	var acts []string
	require.NoError(t, d.Drop(t.Context(), plan, told(&acts)))
	require.ElementsMatch(t, []string{"poison dropped", "a:2 dropped"}, acts)
	require.Equal(t, []string{"a:1", "b:1"}, c.at(graveyard))
	require.Empty(t, c.at(subscription))

	plan, err = d.PlanDrop(t.Context(), every, 1)
	require.NoError(t, err)
	require.Len(t, plan.Letters, 1)
}

// TestACopyThatTheTopicRefuses stops its own key, and nothing has left the queue.
func TestACopyThatTheTopicRefuses(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:1", "a:2")
	d := c.open(0)
	plan, err := d.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	require.NoError(t, c.bus.Inject(minibus.Fault{Entity: "events", On: minibus.OnSend, Do: minibus.Refuse, Condition: "amqp:not-allowed", Text: "no", Times: 1}))
	var acts []string
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"a:1 failed", "a:2 left"}, acts)
	require.Equal(t, []string{"a:1", "a:2"}, c.at(graveyard))

	acts = nil
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)), "the same again, and it goes on")
	require.Equal(t, []string{"a:1 redriven", "a:2 redriven"}, acts)
	require.Equal(t, []string{"a:1", "a:2"}, c.at(subscription))
}

// TestARunThatDiedAfterSending: its copy is confirmed, its letter is still there and locked. The
// next run waits for the lock, and sends nothing that the topic does not know.
func TestARunThatDiedAfterSending(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:1", "a:2")
	dead := c.open(0)
	plan, err := dead.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	got, err := dead.receiver.ReceiveMessages(t.Context(), 1, nil)
	require.NoError(t, err)
	copied, err := dead.copyOf(got[0])
	require.NoError(t, err)
	require.NoError(t, dead.send(t.Context(), copied))
	require.NoError(t, dead.Close(t.Context()))

	var acts []string
	require.NoError(t, c.open(time.Minute).Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"a:1 redriven", "a:2 redriven"}, acts)
	require.Equal(t, []string{"a:1", "a:2"}, c.at(subscription))
	require.Empty(t, c.at(graveyard))
}

// TestWhatSomebodyElseHolds is waited for, for a while, and said.
func TestWhatSomebodyElseHolds(t *testing.T) {
	t.Parallel()
	c := newCemetery(t, func(o *minibus.Options) { o.Config.Topics[0].Subscriptions[0].LockDuration = 5 * time.Minute })
	c.bury("why", "a:1", "a:2", "b:1")
	other, d := c.open(0), c.open(5*time.Second)
	plan, err := d.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	_, err = other.receiver.ReceiveMessages(t.Context(), 1, nil)
	require.NoError(t, err)
	var acts []string
	require.ErrorIs(t, d.Redrive(t.Context(), plan, told(&acts)), errElsewhere)
	require.ElementsMatch(t, []string{"b:1 redriven", "a:1 left", "a:2 left"}, acts, "a:2 does not overtake")
	require.Equal(t, []string{"2 letters are locked by somebody else; waiting for their locks to end"}, c.notice)
}

// TestWhatIsGoneIsNotWaitedFor: somebody else has dropped it.
func TestWhatIsGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("why", "a:1", "a:2")
	d := c.open(0)
	plan, err := d.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	first := Plan{Letters: plan.Letters[:1]}
	require.NoError(t, d.Drop(t.Context(), first, func(Act) {}))
	var acts []string
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"a:1 gone", "a:2 redriven"}, acts)
}

// TestAnOperatorsMistakes are told with what to do.
func TestAnOperatorsMistakes(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	d, err := OpenDeadLetters(Connection{ConnectionString: c.bus.ConnectionString()}, "events", "nobody", DeadLetterOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close(t.Context())) })
	require.ErrorContains(t, d.Each(t.Context(), 0, every), "events/nobody")
	_, err = OpenDeadLetters(Connection{}, "events", "all", DeadLetterOptions{})
	require.ErrorContains(t, err, "neither a namespace nor a connection string")
}

// TestLettersOfOneID: the topic had forgotten the first when the second was sent. Both go back.
func TestLettersOfOneID(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	for seq := range 2 {
		c.deadLetter("why", &azservicebus.Message{MessageID: new("same"), SessionID: new("k:a"), Body: envelope("k:a", seq+1, 0)})
		c.bus.Advance(time.Hour)
	}
	d := c.open(0)
	plan, err := d.PlanRedrive(t.Context(), every, 0)
	require.NoError(t, err)
	var acts []string
	require.NoError(t, d.Redrive(t.Context(), plan, told(&acts)))
	require.Equal(t, []string{"a:1", "a:2"}, c.at(subscription))
}
