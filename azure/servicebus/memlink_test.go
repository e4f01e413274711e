package servicebus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/relaybox/relaybox/outbox"
)

// memBroker stands behind the lanes in place of an SDK sender.
type memBroker struct {
	batchMax, singleMax int // bytes; 0 is no limit
	// refuse looks at a send before it counts; nil lets everything through.
	refuse func(names []string) error
	// hold, if set, keeps each send until a value comes, and stalls it until its context
	// ends if the channel never gives one.
	hold chan struct{}
	// broken is the name of a message that cannot be encoded.
	broken string
	// attachErr makes attaching fail, batchErr what comes next.
	attachErr, batchErr error

	mu       sync.Mutex
	sends    [][]string // names in each send that counted
	attaches int
	retired  int
}

func (b *memBroker) attach(context.Context, string) (link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attaches++
	if b.attachErr != nil {
		return nil, b.attachErr
	}
	return b, nil
}

func (b *memBroker) batch(context.Context) (packet, error) {
	if b.batchErr != nil {
		return nil, b.batchErr
	}
	return &memPacket{b: b}, nil
}

func (b *memBroker) single(ctx context.Context, m *azservicebus.Message) error {
	if b.singleMax > 0 && len(m.Body) > b.singleMax {
		return azservicebus.ErrMessageTooLarge
	}
	return b.take(ctx, []string{name(m)})
}

func (b *memBroker) failed(f fault, _ time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.broken {
		b.retired++
	}
}

func (b *memBroker) take(ctx context.Context, names []string) error {
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if b.refuse != nil {
		if err := b.refuse(names); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sends = append(b.sends, names)
	return nil
}

// sent returns the sends so far, each as one line.
func (b *memBroker) sent() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, names := range b.sends {
		lines = append(lines, strings.Join(names, " "))
	}
	return lines
}

type memPacket struct {
	b     *memBroker
	names []string
	bytes int
}

func (p *memPacket) add(m *azservicebus.Message) error {
	if name(m) == p.b.broken {
		return errors.New("cannot be encoded")
	}
	if p.bytes += len(m.Body); p.b.batchMax > 0 && p.bytes > p.b.batchMax {
		p.bytes -= len(m.Body)
		return azservicebus.ErrMessageTooLarge
	}
	p.names = append(p.names, name(m))
	return nil
}

func (p *memPacket) send(ctx context.Context) error { return p.b.take(ctx, p.names) }

// name is key and number of a message: a1.
func name(m *azservicebus.Message) string {
	return fmt.Sprintf("%s%d", *m.SessionID, m.ApplicationProperties["seq"])
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
		switch err {
		case nil:
			words = append(words, "ok")
		case outbox.ErrNotAttempted:
			words = append(words, "-")
		default:
			words = append(words, outbox.ClassOf(err).String())
		}
	}
	return strings.Join(words, ", ")
}
