package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	sbadmin "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/cmd/relaybox/parts"
)

// witness looks at the store and the bus behind the app's back, and sends old events again.
type witness struct {
	cluster *cluster
	client  *azservicebus.Client
	http    *http.Client

	mu       sync.Mutex // guards what follows, and that peeks come one after another
	random   *rand.Rand
	receiver *azservicebus.Receiver
	sender   *azservicebus.Sender
	messages []*azservicebus.ReceivedMessage // on the topic, in its order, as far as peeked
}

func newWitness(c *cluster, seed uint64) (*witness, error) {
	client, err := azservicebus.NewClientFromConnectionString(c.amqp, &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 2, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second},
	})
	if err != nil {
		return nil, err
	}
	w := &witness{cluster: c, client: client, http: &http.Client{Timeout: time.Minute}, random: rand.New(rand.NewPCG(seed, 3))}
	if w.receiver, err = client.NewReceiverForSubscription(c.settings["EVENTS_TOPIC"], watchName, nil); err != nil {
		return nil, err
	}
	w.sender, err = client.NewSender(c.settings["EVENTS_TOPIC"], nil)
	return w, err
}

func (w *witness) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.client.Close(ctx) // the broker goes next
}

// peekPage is how many messages one peek asks for.
const peekPage = 250

// peek reads what has come to the topic since the last peek. It needs mu.
func (w *witness) peek(ctx context.Context) error {
	for {
		next := int64(1)
		if n := len(w.messages); n > 0 {
			next = *w.messages[n-1].SequenceNumber + 1
		}
		page, err := w.receiver.PeekMessages(ctx, peekPage, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &next})
		if err != nil {
			return err
		}
		for _, m := range page {
			if *m.SequenceNumber >= next {
				w.messages = append(w.messages, m)
				next = *m.SequenceNumber + 1
			}
		}
		if len(page) == 0 {
			return nil
		}
	}
}

// topic is everything that has ever come to the topic.
func (w *witness) topic(ctx context.Context) ([]*azservicebus.ReceivedMessage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		err := w.peek(ctx)
		if err == nil {
			return w.messages, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("peek the subscription %s: %w", watchName, err)
		}
		sleep(ctx, 200*time.Millisecond) // the broker has just come back
	}
}

// errNothingOld: no event is as old as the broker's window yet.
var errNothingOld = errors.New("no event is old enough yet")

// resend sends some old events once more, to the letter: the broker has forgotten them.
func (w *witness) resend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.peek(ctx); err != nil {
		return err
	}
	old := 0
	for ; old < len(w.messages) && time.Since(*w.messages[old].EnqueuedTime) > duplicateWindow+time.Second; old++ {
	}
	if old == 0 {
		return errNothingOld
	}
	for range 8 {
		m := w.messages[w.random.IntN(old)]
		if err := w.sender.SendMessage(ctx, m.Message(), nil); err != nil {
			return err
		}
	}
	return nil
}

// documents are those of a container.
func (w *witness) documents(ctx context.Context, setting string) ([]json.RawMessage, error) {
	url := fmt.Sprintf("http://%s/relaybox/documents/%s/%s", parts.Address(w.cluster.cosmos), w.cluster.settings["COSMOS_DATABASE"], w.cluster.settings[setting])
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %.200s", resp.StatusCode, text)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	var all []json.RawMessage
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			all = append(all, json.RawMessage(line))
		}
	}
	return all, nil
}

// waiting is what the app's subscription holds.
type waiting struct{ active, dead int }

func (w *witness) subscription(ctx context.Context) (waiting, error) {
	addr := w.cluster.bus.Fact("admin")
	if addr == "" {
		return waiting{}, parts.ErrAbsent
	}
	client, err := sbadmin.NewClientFromConnectionString(w.cluster.amqp, &sbadmin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: admin.PlainHTTP(addr, w.http)},
	})
	if err != nil {
		return waiting{}, err
	}
	got, err := client.GetSubscriptionRuntimeProperties(ctx, w.cluster.settings["EVENTS_TOPIC"], w.cluster.settings["EVENTS_SUBSCRIPTION"], nil)
	if err != nil || got == nil {
		return waiting{}, errors.Join(err, errors.New("the broker tells nothing about the subscription"))
	}
	return waiting{active: int(got.ActiveMessageCount), dead: int(got.DeadLetterMessageCount)}, nil
}

// deadLetters are the messages that the app's subscription has given up.
func (w *witness) deadLetters(ctx context.Context) ([]*azservicebus.ReceivedMessage, error) {
	receiver, err := w.client.NewReceiverForSubscription(w.cluster.settings["EVENTS_TOPIC"], w.cluster.settings["EVENTS_SUBSCRIPTION"],
		&azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		return nil, err
	}
	defer func() { _ = receiver.Close(context.WithoutCancel(ctx)) }() // only peeked
	return receiver.PeekMessages(ctx, peekPage, nil)
}
