package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"golang.org/x/sync/errgroup"
)

// busWitness is what was on the bus, whatever bus it is.
type busWitness interface {
	// run receives until ctx ends, through every outage.
	run(ctx context.Context)
	// count is how many distinct messages were received so far.
	count() int
	// events are the messages by key, in the broker's order, how many copies the broker has dropped, and
	// what was wrong with any message.
	events() (byKey map[string][]busEvent, dropped int, faults []*violation)
}

// oneBatch is how long the audit waits for messages before it looks at its connection.
const oneBatch = 2 * time.Second

// audit reads a subscription of its own, so that it sees what was on the bus and not
// what the app says about it. It has no sessions: it gets the topic's messages in the
// broker's order.
type audit struct {
	client              *azservicebus.Client
	topic, subscription string
	// patience is how long a batch may take to be settled: it comes again when it is not.
	patience time.Duration
	notes
}

// notes are what a witness has received, by the broker's numbers.
type notes struct {
	mu     sync.Mutex // guards what follows
	byNo   map[int64]busEvent
	keyOf  map[int64]string
	faults []*violation
}

func newAudit(connection, topic, subscription string) (*audit, error) {
	client, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{
		// The broker will be away for seconds: come back soon after.
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 2, RetryDelay: 50 * time.Millisecond, MaxRetryDelay: 200 * time.Millisecond},
	})
	if err != nil {
		return nil, err
	}
	return &audit{client: client, topic: topic, subscription: subscription, patience: oneBatch}, nil
}

// run receives until ctx ends, through every outage.
func (a *audit) run(ctx context.Context) {
	for ctx.Err() == nil {
		a.receive(ctx)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = a.client.Close(closing) // the broker goes next
}

// receive works with one receiver until it fails, or has nothing to say for a while: the
// SDK may wait for ever on a connection that died quietly, and a call on a dead link may
// return nothing and no error.
func (a *audit) receive(ctx context.Context) {
	receiver, err := a.client.NewReceiverForSubscription(a.topic, a.subscription, nil)
	if err != nil {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = receiver.Close(closing) // it has failed, or everything ends
	}()
	for a.batch(ctx, receiver) {
	}
}

func (a *audit) batch(ctx context.Context, receiver *azservicebus.Receiver) bool {
	receiving, stop := context.WithTimeout(ctx, oneBatch)
	defer stop()
	messages, err := receiver.ReceiveMessages(receiving, 100, nil)
	for _, m := range messages {
		a.note(m)
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	var settling errgroup.Group // side by side, so that the broker's disk is asked once for all
	for _, m := range messages {
		settling.Go(func() error { return receiver.CompleteMessage(ctx, m, nil) })
	}
	if settling.Wait() != nil {
		return false // they come again, under the same numbers
	}
	return err == nil && len(messages) > 0
}

// note keeps what the message says and checks that its parts agree.
func (a *audit) note(m *azservicebus.ReceivedMessage) {
	e, key, err := readEvent(m)
	a.keep(deref(m.EnqueuedSequenceNumber, deref(m.SequenceNumber, 0)), m.MessageID, e, key, err)
}

// keep notes a message, or what is wrong with it.
func (n *notes) keep(number int64, id string, e busEvent, key string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.faults = append(n.faults, broken(noPhantomEvent, "message %d (%s): %v", number, id, err))
		return
	}
	if n.byNo == nil {
		n.byNo, n.keyOf = map[int64]busEvent{}, map[int64]string{}
	}
	e.number = number
	n.byNo[number], n.keyOf[number] = e, key
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// readEvent reads a message and compares the envelope with the broker's properties.
func readEvent(m *azservicebus.ReceivedMessage) (e busEvent, key string, err error) {
	return readEnvelope(m.Body, func(is envelope) map[string][2]string {
		return map[string][2]string{
			"MessageID":   {m.MessageID, is.ID},
			"SessionID":   {deref(m.SessionID, ""), is.PartitionKey},
			"Subject":     {deref(m.Subject, ""), is.Type},
			"seq":         {fmt.Sprint(m.ApplicationProperties["seq"]), is.number},
			"ContentType": {deref(m.ContentType, ""), "application/cloudevents+json"},
		}
	})
}

// envelope is an event as it travels.
type envelope struct {
	SpecVersion  string    `json:"specversion"`
	ID           string    `json:"id"`
	Source       string    `json:"source"`
	Type         string    `json:"type"`
	Time         time.Time `json:"time"`
	Subject      string    `json:"subject"`
	PartitionKey string    `json:"partitionkey"`
	Sequence     string    `json:"sequence"`
	Data         struct {
		ID    string          `json:"id"`
		State json.RawMessage `json:"state"`
	} `json:"data"`
	number string // of Sequence, without its zeros
}

// readEnvelope reads an event and compares what must agree in it, and what outside says of the
// message with what it should be.
func readEnvelope(body []byte, outside func(envelope) map[string][2]string) (e busEvent, key string, err error) {
	var is envelope
	if err := json.Unmarshal(body, &is); err != nil {
		return e, "", fmt.Errorf("not a CloudEvent: %w", err)
	}
	seq, err := strconv.ParseInt(is.Sequence, 10, 64)
	if err != nil {
		return e, "", fmt.Errorf("sequence: %w", err)
	}
	is.number = strconv.FormatInt(seq, 10)
	k, id := splitKey(is.PartitionKey)
	if k == nil {
		return e, "", fmt.Errorf("partitionkey %q is of no kind", is.PartitionKey)
	}
	e = busEvent{id: is.ID, name: strings.TrimPrefix(is.Type, k.eventType("")), seq: seq, at: is.Time}
	pairs := outside(is)
	maps.Copy(pairs, map[string][2]string{
		"data.id":     {is.Data.ID, id},
		"subject":     {is.Subject, id},
		"source":      {is.Source, "/relaybox/" + k.name},
		"type":        {is.Type, k.eventType(e.name)},
		"specversion": {is.SpecVersion, "1.0"},
	})
	for name, pair := range pairs {
		if pair[0] != pair[1] {
			return e, "", fmt.Errorf("%s is %q, not %q", name, pair[0], pair[1])
		}
	}
	if e.name != "deleted" {
		e.state, err = k.parse(is.Data.State)
	}
	return e, is.PartitionKey, err
}

// count is how many distinct messages were received so far.
func (n *notes) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.byNo)
}

// events are the messages by key, in the broker's order, and what was wrong with any.
// The broker counts a copy that it drops too, so numbers that nobody got are copies.
func (n *notes) events() (byKey map[string][]busEvent, dropped int, faults []*violation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	byKey = map[string][]busEvent{}
	newest := int64(0)
	for number := range maps.Keys(n.byNo) {
		byKey[n.keyOf[number]] = append(byKey[n.keyOf[number]], n.byNo[number])
		newest = max(newest, number)
	}
	for key, events := range byKey {
		byKey[key] = inOrder(events)
	}
	return byKey, int(newest) - len(n.byNo), n.faults
}
