package servicebus

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/outbox"
)

// Seen is what a look shows of a queue of messages.
type Seen struct {
	Count int
	// More: there are more than were counted.
	More bool
	// Oldest is when the first message came; zero without one.
	Oldest time.Time
}

// Look counts the messages of a subscription, or its dead letters, at most most of them. It takes
// none, locks none and changes no count; it needs the role of a receiver, and a subscription with
// sessions shows its dead letters only. It uses the connection of the publishers.
func (c *Client) Look(ctx context.Context, topic, subscription string, dead bool, most int) (Seen, error) {
	s, err := c.session()
	if err != nil {
		return Seen{}, err
	}
	defer c.busy.Done()
	s.idle.Reset(c.opts.IdleTimeout) // not while it looks
	seen, err := look(ctx, s.sdk, topic, subscription, dead, most)
	if err == nil {
		return seen, nil
	}
	f := diagnose(ctx, err, attaching)
	if detached(err) && f.condition == "" { // what the broker answers says nothing against the connection, which others send over
		c.retire(s, err)
	}
	return Seen{}, &outbox.Error{Class: f.class, Condition: f.condition, Op: fmt.Sprintf("look at the messages of %s/%s", topic, subscription), Err: f.err}
}

func look(ctx context.Context, sdk *azservicebus.Client, topic, subscription string, dead bool, most int) (seen Seen, err error) {
	opts := &azservicebus.ReceiverOptions{}
	if dead {
		opts.SubQueue = azservicebus.SubQueueDeadLetter
	}
	receiver, err := sdk.NewReceiverForSubscription(topic, subscription, opts)
	if err != nil {
		return Seen{}, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpTime)
		defer cancel()
		_ = receiver.Close(ctx) // its link goes with the session at the latest
	}()
	from := int64(0)
	for !seen.More {
		page, err := receiver.PeekMessages(ctx, peekPage, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil || len(page) == 0 {
			return seen, err
		}
		for _, m := range page {
			if seen.Count == most {
				seen.More = true
				break
			}
			if m.EnqueuedTime != nil && seen.Count == 0 {
				seen.Oldest = *m.EnqueuedTime
			}
			seen.Count++
			if m.SequenceNumber != nil {
				from = *m.SequenceNumber + 1
			}
		}
	}
	return seen, nil
}
