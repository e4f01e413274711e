package servicebus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/outbox"
)

// DeadLetters is the dead-letter queue of a subscription, for an operator: it looks, sends back
// to the topic, and removes.
//
// It promises:
//
//   - looking changes nothing: no locks, no counts, and a page at a time whatever the queue holds;
//   - a letter leaves the queue only after the topic has confirmed its copy, so a run that dies
//     doubles a message at most, and never loses one;
//   - letters of one key go back in the order of their numbers, and none after one that failed.
//
// It does not promise that a copy is consumed once: that is the consumer's inbox, which goes by
// the event's number. Neither does a copy go to this subscription alone: a topic has no way to
// do that, so all of its subscriptions get it.
type DeadLetters struct {
	topic, subscription string
	opts                DeadLetterOptions
	sdk                 *azservicebus.Client
	receiver            *azservicebus.Receiver // looks, and locks nothing
	sender              *azservicebus.Sender
}

// DeadLetterOptions tunes DeadLetters; the zero value works.
type DeadLetterOptions struct {
	Options
	// Patience is how long Redrive and Drop wait for letters that somebody else has locked, a
	// run that died, say; default 2 minutes. A lock of the deployed subscription takes one.
	Patience time.Duration
	// Notice hears what a person should know while it takes long; default: nobody does.
	Notice func(text string)
}

// OpenDeadLetters returns the dead letters of a subscription without any I/O.
func OpenDeadLetters(conn Connection, topic, subscription string, opts DeadLetterOptions) (*DeadLetters, error) {
	if opts.SendTimeout <= 0 {
		opts.SendTimeout = 10 * time.Second
	}
	if opts.Patience <= 0 {
		opts.Patience = 2 * time.Minute
	}
	if opts.Notice == nil {
		opts.Notice = func(string) {}
	}
	// Somebody waits at a screen: a broker that is away is told in seconds.
	settings := &azservicebus.ClientOptions{ApplicationID: "relaybox", RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 2, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 2 * time.Second,
	}}
	sdk, err := conn.open(opts.Credential, settings)
	if err != nil {
		return nil, err
	}
	d := &DeadLetters{topic: topic, subscription: subscription, opts: opts, sdk: sdk}
	if d.receiver, err = d.receive(); err != nil {
		return nil, err
	}
	if d.sender, err = sdk.NewSender(topic, nil); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *DeadLetters) receive() (*azservicebus.Receiver, error) {
	return d.sdk.NewReceiverForSubscription(d.topic, d.subscription, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

// Close hangs up.
func (d *DeadLetters) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hangUpTime)
	defer cancel()
	return d.sdk.Close(ctx)
}

const (
	// peekPage is how many letters are asked for at a time. The broker may show fewer.
	peekPage = 100
	// peekTime bounds a page, the first one's connection included.
	peekTime = 30 * time.Second
)

// Each shows the letters from a sequence number on, in the queue's order, until see returns false.
func (d *DeadLetters) Each(ctx context.Context, from int64, see func(Letter) bool) error {
	for {
		page, err := d.peek(ctx, from)
		if err != nil {
			return d.failed("look into", err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, m := range page {
			l := letterOf(m)
			if !see(l) {
				return nil
			}
			from = max(from, l.Number+1)
		}
	}
}

func (d *DeadLetters) peek(ctx context.Context, from int64) ([]*azservicebus.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, peekTime)
	defer cancel()
	return d.receiver.PeekMessages(ctx, peekPage, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
}

// failed says what was done where, and what an operator can do about the usual causes.
func (d *DeadLetters) failed(did string, err error) error {
	where := fmt.Sprintf("%s the dead letters of %s/%s", did, d.topic, d.subscription)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", where, err)
	}
	remedy := ""
	e, coded := errors.AsType[*azservicebus.Error](err)
	switch {
	case coded && e.Code == azservicebus.CodeNotFound:
		remedy = "; relaybox doctor tells whether topic and subscription are there"
	case classOf(err, attaching) == outbox.Unauthorized:
		remedy = "; it takes the roles Azure Service Bus Data Receiver on the subscription and, to redrive, Data Sender on the topic"
	}
	return fmt.Errorf("%s: %w%s", where, err, remedy)
}
