package minibus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// walker goes through steps with one client. What it does it tells its model when it is confirmed.
type walker struct {
	model
	t         *testing.T
	harm      harm
	random    *rand.Rand
	client    *azservicebus.Client
	senders   map[string]*azservicebus.Sender
	receivers map[string]*azservicebus.Receiver
	held      []*azservicebus.ReceivedMessage // whose locks the harm has ended
}

// step is one thing that a client does. can says whether there is anything to do it with; nil: always.
type step struct {
	name string
	can  func(*model) bool
	do   func(*walker)
}

func has(path string) func(*model) bool { return func(m *model) bool { return m.first(path) != nil } }

// steps in an order in which each has what it needs.
var steps = []step{
	{"send", nil, func(w *walker) { w.send("plain", &kept{}) }},
	{"send a batch", nil, func(w *walker) { w.batch("plain", 3) }},
	{"peek", has("plain"), (*walker).peek},
	{"receive", has("plain"), func(w *walker) { w.held = append(w.held, w.take("plain")) }},
	{"complete what was received before", func(m *model) bool { return m.sent > 0 }, (*walker).completeHeld},
	{"complete", has("plain"), func(w *walker) {
		k, m := w.first("plain"), w.take("plain")
		require.NoError(w.t, w.receiver("plain").CompleteMessage(w.ctx(), m, nil))
		w.remove("plain", k)
	}},
	{"abandon", has("plain"), func(w *walker) {
		k, m := w.first("plain"), w.take("plain")
		require.NoError(w.t, w.receiver("plain").AbandonMessage(w.ctx(), m, nil))
		w.fail("plain", k)
	}},
	{"renew", has("plain"), func(w *walker) {
		m := w.take("plain")
		require.NoError(w.t, w.receiver("plain").RenewMessageLock(w.ctx(), m, nil))
		w.held = append(w.held, m)
	}},
	{"defer", has("plain"), func(w *walker) {
		k, m := w.first("plain"), w.take("plain")
		require.NoError(w.t, w.receiver("plain").DeferMessage(w.ctx(), m, nil))
		k.state, k.locked = minibus.Deferred, false // it is not counted
	}},
	{"receive what is deferred", hasDeferred, func(w *walker) { w.held = append(w.held, w.takeDeferred()) }},
	{"complete what is deferred", hasDeferred, func(w *walker) {
		k, m := w.find("plain", minibus.Deferred), w.takeDeferred()
		require.NoError(w.t, w.receiver("plain").CompleteMessage(w.ctx(), m, nil))
		w.remove("plain", k)
	}},
	{"send for the dead letters", nil, func(w *walker) { w.batch("plain", 2) }},
	{"dead-letter", has("plain"), func(w *walker) {
		k, m := w.first("plain"), w.take("plain")
		require.NoError(w.t, w.receiver("plain").DeadLetterMessage(w.ctx(), m, &azservicebus.DeadLetterOptions{Reason: new("mine")}))
		w.bury("plain", k, "mine")
	}},
	{"receive a dead letter", has("plain" + deadLetters), func(w *walker) { w.held = append(w.held, w.take("plain"+deadLetters)) }},
	{"complete a dead letter", has("plain" + deadLetters), func(w *walker) {
		k, m := w.first("plain"+deadLetters), w.take("plain"+deadLetters)
		require.NoError(w.t, w.receiver("plain"+deadLetters).CompleteMessage(w.ctx(), m, nil))
		w.remove("plain"+deadLetters, k)
	}},
	{"schedule", nil, func(w *walker) { w.schedule(2) }},
	{"cancel a schedule", hasScheduled, func(w *walker) {
		k := w.find("plain", minibus.Scheduled)
		require.NoError(w.t, w.sender("plain").CancelScheduledMessages(w.ctx(), []int64{w.numbers["plain "+k.id]}, nil))
		w.remove("plain", k)
	}},
	{"send to a session", nil, func(w *walker) { w.send("sessions", &kept{session: "s"}) }},
	{"send to another session", nil, func(w *walker) { w.send("sessions", &kept{session: "r"}) }},
	{"set a session's state", nil, func(w *walker) {
		state := fmt.Sprint("state ", w.random.IntN(1000))
		w.session("s", func(r *azservicebus.SessionReceiver) {
			require.NoError(w.t, r.SetSessionState(w.ctx(), []byte(state), nil))
		})
		w.states["s"] = state
	}},
	{"hold a session", nil, func(w *walker) {
		r := w.accept("s")
		require.NoError(w.t, r.RenewSessionLock(w.ctx(), nil))
	}},
	{"get a session's state", nil, func(w *walker) {
		w.session("s", func(r *azservicebus.SessionReceiver) {
			state, err := r.GetSessionState(w.ctx(), nil)
			require.NoError(w.t, err)
			require.Equal(w.t, w.states["s"], string(state))
		})
	}},
	{"abandon in a session", hasSession, func(w *walker) {
		k := w.ofSession("s")
		w.session("s", func(r *azservicebus.SessionReceiver) {
			require.NoError(w.t, r.AbandonMessage(w.ctx(), w.next(r, k), nil))
		})
		w.fail("sessions", k)
	}},
	{"receive in a session", hasSession, func(w *walker) {
		r := w.accept("s")
		w.next(r, w.ofSession("s")) // a session that ends gives it back uncounted
	}},
	{"complete in a session", hasSession, func(w *walker) {
		k := w.ofSession("s")
		w.session("s", func(r *azservicebus.SessionReceiver) {
			require.NoError(w.t, r.CompleteMessage(w.ctx(), w.next(r, k), nil))
		})
		w.remove("sessions", k)
	}},
	{"clear a session's state", nil, func(w *walker) {
		w.session("s", func(r *azservicebus.SessionReceiver) { require.NoError(w.t, r.SetSessionState(w.ctx(), nil, nil)) })
		delete(w.states, "s")
	}},
	{"send for the transactions", nil, func(w *walker) { w.batch("plain", 2) }},
	{"commit", has("plain"), func(w *walker) {
		k, id := w.first("plain"), w.id()
		c, txn := w.transaction(id)
		require.IsType(w.t, &amqpwire.Accepted{}, c.discharge(txn, false))
		w.remove("plain", k)
		w.add("out", &kept{id: id})
	}},
	{"roll back", has("plain"), func(w *walker) {
		c, txn := w.transaction(w.id())
		require.IsType(w.t, &amqpwire.Accepted{}, c.discharge(txn, true))
		w.first("plain").locked = true // what was rolled back is still locked
	}},
	{"leave a transaction open", has("plain"), func(w *walker) {
		w.transaction(w.id())
		w.first("plain").locked = true
	}},
	{"publish", nil, func(w *walker) { w.publish(w.id()) }},
	{"add a rule", func(m *model) bool { return !m.colours["blue"] }, func(w *walker) {
		_, err := w.admin().CreateRule(w.ctx(), "events", "some", &admin.CreateRuleOptions{Name: new("blue"), Filter: &admin.SQLFilter{Expression: "sys.Label = 'blue'"}})
		require.NoError(w.t, err)
		w.colours["blue"] = true
	}},
	{"publish with the rule", nil, func(w *walker) { w.publish(w.id()) }},
	{"remove a rule", func(m *model) bool { return m.colours["blue"] }, func(w *walker) {
		_, err := w.admin().DeleteRule(w.ctx(), "events", "some", "blue", nil)
		require.NoError(w.t, err)
		delete(w.colours, "blue")
	}},
	{"publish without the rule", nil, func(w *walker) { w.publish(w.id()) }},
	{"publish again", hasKnown("events"), func(w *walker) { w.publish(w.knownOf("events")) }},
	{"complete in a subscription", has("events/Subscriptions/all"), func(w *walker) {
		k, m := w.first("events/Subscriptions/all"), w.take("events/Subscriptions/all")
		require.NoError(w.t, w.receiver("events/Subscriptions/all").CompleteMessage(w.ctx(), m, nil))
		w.remove("events/Subscriptions/all", k)
	}},
	{"send with detection of duplicates", nil, func(w *walker) { w.detect(w.id()) }},
	{"send a duplicate", hasKnown("dedup"), func(w *walker) { w.detect(w.knownOf("dedup")) }},
	{"forward", nil, func(w *walker) {
		id := w.id()
		require.NoError(w.t, w.sender("source").SendMessage(w.ctx(), &azservicebus.Message{MessageID: &id}, nil))
		w.add("out", &kept{id: id})
	}},
	{"receive and delete", has("out"), func(w *walker) {
		k := w.first("out")
		w.take("out")
		w.remove("out", k)
	}},
}

func hasDeferred(m *model) bool  { return m.find("plain", minibus.Deferred) != nil }
func hasScheduled(m *model) bool { return m.find("plain", minibus.Scheduled) != nil }
func hasSession(m *model) bool   { return m.ofSession("s") != nil }

func hasKnown(entity string) func(*model) bool {
	return func(m *model) bool { return len(m.known[entity]) > 0 }
}

func (m *model) ofSession(id string) *kept {
	for _, k := range m.kept["sessions"] {
		if k.session == id && k.state == minibus.Active {
			return k
		}
	}
	return nil
}

func (m *model) id() string {
	m.sent++
	return fmt.Sprint("m", m.sent)
}

func (w *walker) ctx() context.Context { return within(w.t, time.Minute) }

// sender is the one for a queue or topic, which has lived as long as the client.
func (w *walker) sender(to string) *azservicebus.Sender {
	w.t.Helper()
	if w.senders[to] == nil {
		w.senders[to] = sender(w.t, w.client, to)
	}
	return w.senders[to]
}

func (w *walker) receiver(from string) *azservicebus.Receiver {
	w.t.Helper()
	if w.receivers[from] != nil {
		return w.receivers[from]
	}
	var err error
	switch from {
	case "plain" + deadLetters:
		w.receivers[from], err = w.client.NewReceiverForQueue("plain", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	case "events/Subscriptions/all":
		w.receivers[from], err = w.client.NewReceiverForSubscription("events", "all", nil)
	case "out":
		w.receivers[from], err = w.client.NewReceiverForQueue(from, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	default:
		w.receivers[from], err = w.client.NewReceiverForQueue(from, nil)
	}
	require.NoError(w.t, err)
	return w.receivers[from]
}

// admin is a client of the administration.
func (w *walker) admin() *admin.Client {
	w.t.Helper()
	addr := w.harm.addr()
	return administer(w.t, &minibus.Instance{AdminAddr: addr}, minibus.DefaultPolicy.ConnectionString(addr))
}

func (w *walker) send(to string, k *kept) {
	w.t.Helper()
	k.id = w.id()
	m := &azservicebus.Message{MessageID: &k.id}
	if k.session != "" {
		m.SessionID = &k.session
	}
	require.NoError(w.t, w.sender(to).SendMessage(w.ctx(), m, nil))
	w.add(to, k)
}

func (w *walker) batch(to string, size int) {
	w.t.Helper()
	batch, err := w.sender(to).NewMessageBatch(w.ctx(), nil)
	require.NoError(w.t, err)
	var list []*kept
	for range size {
		k := &kept{id: w.id()}
		require.NoError(w.t, batch.AddMessage(&azservicebus.Message{MessageID: &k.id}, nil))
		list = append(list, k)
	}
	require.NoError(w.t, w.sender(to).SendMessageBatch(w.ctx(), batch, nil))
	w.add(to, list...)
}

func (w *walker) schedule(size int) {
	w.t.Helper()
	var list []*azservicebus.Message
	for range size {
		list = append(list, &azservicebus.Message{MessageID: new(w.id())})
	}
	numbers, err := w.sender("plain").ScheduleMessages(w.ctx(), list, time.Now().Add(500*time.Hour), nil)
	require.NoError(w.t, err)
	for i, m := range list {
		w.numbers["plain "+*m.MessageID] = numbers[i]
		w.add("plain", &kept{id: *m.MessageID, state: minibus.Scheduled})
	}
}

// peek sees what is there, in order, and takes nothing.
func (w *walker) peek() {
	w.t.Helper()
	seen, err := w.receiver("plain").PeekMessages(w.ctx(), 200, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(0))})
	require.NoError(w.t, err)
	var want, have []string
	for _, k := range w.kept["plain"] {
		want = append(want, k.id)
	}
	for _, m := range seen {
		have = append(have, m.MessageID)
	}
	require.Equal(w.t, want, have)
}

// take receives the next message, which is the model's, and locks it.
func (w *walker) take(from string) *azservicebus.ReceivedMessage {
	w.t.Helper()
	k := w.first(from)
	m := w.next(w.receiver(from), k)
	k.locked = true
	return m
}

// next receives a message. A receiver whose link has gone returns nothing once, and has another one then.
func (w *walker) next(r interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}, k *kept) *azservicebus.ReceivedMessage {
	w.t.Helper()
	m := receive(w.t, r, 1)[0]
	require.Equal(w.t, k.id, m.MessageID)
	require.EqualValues(w.t, k.tries+1, m.DeliveryCount, m.MessageID)
	return m
}

func (w *walker) takeDeferred() *azservicebus.ReceivedMessage {
	w.t.Helper()
	k := w.find("plain", minibus.Deferred)
	got, err := w.receiver("plain").ReceiveDeferredMessages(w.ctx(), []int64{w.numbers["plain "+k.id]}, nil)
	require.NoError(w.t, err)
	require.Len(w.t, got, 1)
	require.Equal(w.t, k.id, got[0].MessageID)
	k.locked = true
	return got[0]
}

// completeHeld settles what was received before the harm: its lock is lost, and nothing happens.
func (w *walker) completeHeld() {
	w.t.Helper()
	w.peek() // the receiver has a link
	for _, m := range w.held {
		requireCode(w.t, w.receiver("plain").CompleteMessage(w.ctx(), &azservicebus.ReceivedMessage{LockToken: m.LockToken}, nil), azservicebus.CodeLockLost)
	}
	w.held = nil
}

// session does something as the owner of a session, which is free.
func (w *walker) session(id string, do func(*azservicebus.SessionReceiver)) {
	w.t.Helper()
	r := w.accept(id)
	do(r)
	require.NoError(w.t, r.Close(w.ctx()))
}

// accept accepts a session, which is free. The client does not try that again by itself where its connection has gone.
func (w *walker) accept(id string) *azservicebus.SessionReceiver {
	w.t.Helper()
	for {
		r, err := w.client.AcceptSessionForQueue(w.ctx(), "sessions", id, nil)
		var refused *amqp.Error
		if err == nil || errors.As(err, &refused) || w.t.Context().Err() != nil {
			require.NoError(w.t, err)
			return r
		}
	}
}

// transaction settles the next message of plain and sends one to out, and does not end.
func (w *walker) transaction(id string) (*wire, []byte) {
	w.t.Helper()
	c := dialWire(w.t, &minibus.Instance{Addr: w.harm.addr()})
	c.control()
	c.sender(handleOut, "out")
	c.receiver(handleIn, "plain", 1)
	txn := c.declare()
	require.IsType(w.t, &amqpwire.Transactional{}, c.settleIn(txn, &amqpwire.Accepted{}))
	c.transfer(handleOut, txn, &amqp.Message{Properties: &amqp.MessageProperties{MessageID: id}, Data: [][]byte{{1}}})
	require.IsType(w.t, &amqpwire.Transactional{}, expect[*amqpwire.Disposition](c).State)
	return c, txn
}

// publish sends to the topic, which drops what it knows.
func (w *walker) publish(id string) {
	w.t.Helper()
	colour := []string{"red", "blue"}[w.random.IntN(2)]
	require.NoError(w.t, w.sender("events").SendMessage(w.ctx(), &azservicebus.Message{MessageID: &id, Subject: &colour}, nil))
	if w.knows("events", id) {
		return
	}
	w.add("events/Subscriptions/all", &kept{id: id})
	if w.colours[colour] {
		w.add("events/Subscriptions/some", &kept{id: id})
	}
}

// detect sends to the queue that drops what it knows.
func (w *walker) detect(id string) {
	w.t.Helper()
	require.NoError(w.t, w.sender("dedup").SendMessage(w.ctx(), &azservicebus.Message{MessageID: &id}, nil))
	if !w.knows("dedup", id) {
		w.add("dedup", &kept{id: id})
	}
}

// knows says whether an id has been there, and remembers it.
func (m *model) knows(entity, id string) bool {
	known := slices.Contains(m.known[entity], id)
	if !known {
		m.known[entity] = append(m.known[entity], id)
	}
	return known
}

func (w *walker) knownOf(entity string) string {
	return w.known[entity][w.random.IntN(len(w.known[entity]))]
}
