package jetstream

import (
	"context"
	"errors"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/internal/pace"
)

// Message is one delivery of a message.
type Message struct {
	Body    []byte
	ID      string // Nats-Msg-Id
	Subject string
	// Type is the event's, ReplayFor the consumer that it is replayed for, "" for all.
	Type, ReplayFor string
	// Delivery is its number, from 1, Sequence the message's in the stream.
	Delivery int
	Sequence uint64
	// Counted is what a refusal of this delivery counts as: one of ConsumerOptions.Deliveries or more
	// makes a dead letter. It is Delivery where nothing but refusals came before.
	Counted int
	// Stored is when the stream took it, by the server's clock.
	Stored time.Time
	// TraceParent and TraceState are the W3C trace context of the request behind the event.
	TraceParent, TraceState string
}

var (
	// refusedPause makes 100 deliveries of a message last for 95 seconds, and 10 for five: whoever is
	// about to mend it, with a newer version of the app, comes in time.
	refusedPause = pace.Backoff{First: 20 * time.Millisecond, Max: time.Second}
	// passingPause is for what was held already for as long as the handler may.
	passingPause = pace.Backoff{First: time.Second, Max: 30 * time.Second}
)

// leastBeat bounds how often the server is told that a message is still in hand.
const leastBeat = 100 * time.Millisecond

// beatOf is how often the server is told so: three times while it would wait.
func beatOf(c js.ConsumerConfig) time.Duration {
	wait := c.AckWait
	for _, step := range c.BackOff {
		wait = min(wait, step)
	}
	return max(leastBeat, wait/3)
}

// deliver gives one message its effect, and tells the server afterwards.
func (w *Consumer) deliver(ctx context.Context, l *line, raw js.Msg, beat time.Duration) {
	m, err := read(raw)
	if err != nil { // a message that is none of a stream: nobody waits for an answer
		w.client.opts.Logger.Warn("a message of no stream came", "subject", raw.Subject(), "error", err)
		return
	}
	m.Counted = counted(m.Delivery, w.refused.of(m.Sequence), w.opts.Deliveries)
	stop := hold(raw, beat)
	err = w.handle(ctx, m)
	stop()
	refused, bad := errors.AsType[*Refused](err)
	switch {
	case err == nil:
		w.refused.forget(m.Sequence)
		err = raw.Ack()
	case ctx.Err() != nil: // the end of this instance is none of the message's faults
		err = raw.Nak()
	case !bad:
		err = raw.NakWithDelay(passingPause.Ceiling(m.Delivery))
	case m.Counted < w.opts.Deliveries:
		w.refused.add(m.Sequence)
		err = raw.NakWithDelay(refusedPause.Ceiling(m.Delivery))
	default:
		err = w.bury(ctx, l, raw, m, refused)
	}
	if err != nil { // it comes again after AckWait
		w.client.opts.Logger.Info("the server did not hear what became of a message", "subject", m.Subject, "message", m.ID, "error", err)
	}
}

func read(raw js.Msg) (Message, error) {
	at, err := raw.Metadata()
	if err != nil {
		return Message{}, err
	}
	h := raw.Headers()
	return Message{
		Body: raw.Data(), ID: h.Get(js.MsgIDHeader), Subject: raw.Subject(), Type: h.Get(headerType), ReplayFor: h.Get(headerReplay), Delivery: int(at.NumDelivered),
		Sequence: at.Sequence.Stream, Stored: at.Timestamp, TraceParent: h.Get(headerParent), TraceState: h.Get(headerState),
	}, nil
}

// hold tells the server that the message is in hand until stop is called.
func hold(raw js.Msg, beat time.Duration) (stop func()) {
	over, gone := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(gone)
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = raw.InProgress() // without a connection it goes to another instance, which does no harm
			case <-over:
				return
			}
		}
	}()
	return func() { close(over); <-gone }
}
