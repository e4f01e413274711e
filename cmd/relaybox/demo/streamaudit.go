package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/local/natsserver"
	"github.com/relaybox/relaybox/local/stack"
)

// streamAudit reads the stream for itself, from its first message on, within the process: no fault of
// the network is between.
type streamAudit struct {
	conn            *nats.Conn
	view            jetstream.JetStream
	stream, subject string // the latter begins the subjects
	durables        []string
	notes
}

func newStreamAudit(server *natsserver.Server, settings map[string]string) (*streamAudit, error) {
	conn, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		return nil, err
	}
	view, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &streamAudit{conn: conn, view: view, stream: settings["EVENTS_STREAM"], subject: settings["EVENTS_SUBJECT"], durables: stack.Durables(settings)}, nil
}

// run receives until ctx ends.
func (a *streamAudit) run(ctx context.Context) {
	defer a.conn.Close()
	for ctx.Err() == nil {
		if err := a.receive(ctx); err != nil && ctx.Err() == nil {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// receive reads the stream from its beginning until something fails: what was noted before has the
// same number again.
func (a *streamAudit) receive(ctx context.Context) error {
	from, err := a.view.OrderedConsumer(ctx, a.stream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return err
	}
	all, err := from.Messages()
	if err != nil {
		return err
	}
	defer all.Stop()
	stop := context.AfterFunc(ctx, all.Stop)
	defer stop()
	for {
		m, err := all.Next()
		if err != nil {
			return err
		}
		if err := a.note(m); err != nil {
			return err
		}
	}
}

func (a *streamAudit) note(m jetstream.Msg) error {
	at, err := m.Metadata()
	if err != nil {
		return err
	}
	h := m.Headers()
	e, key, err := readEnvelope(m.Data(), func(is envelope) map[string][2]string {
		k, id := splitKey(is.PartitionKey)
		return map[string][2]string{
			"Nats-Msg-Id":   {h.Get(jetstream.MsgIDHeader), is.ID},
			"subject of it": {m.Subject(), a.subject + "." + k.name + "." + id},
			"type of it":    {h.Get("type"), is.Type},
			"seq":           {h.Get("seq"), is.number},
			"content-type":  {h.Get("content-type"), "application/cloudevents+json"},
		}
	})
	a.keep(int64(at.Sequence.Stream), h.Get(jetstream.MsgIDHeader), e, key, err)
	return nil
}

// events are what was noted. A stream does not count the copies that it drops.
func (a *streamAudit) events() (byKey map[string][]busEvent, dropped int, faults []*violation) {
	byKey, _, faults = a.notes.events()
	return byKey, uncounted, faults
}

// consumed says whether the consumers have ended all that is in the stream. What they say is pending may
// be behind it.
func (a *streamAudit) consumed(ctx context.Context) bool {
	stream, err := a.view.Stream(ctx, a.stream)
	if err != nil {
		return false
	}
	for _, durable := range a.durables {
		c, err := stream.Consumer(ctx, durable)
		if err != nil || c.CachedInfo().AckFloor.Stream < stream.CachedInfo().State.LastSeq {
			return false
		}
	}
	return true
}

// letters are the ids of the messages that consumers have given up, by the streams' own account.
func (a *streamAudit) letters(ctx context.Context) (ids []string, err error) {
	for _, durable := range a.durables {
		dead, err := a.view.Stream(ctx, stack.LettersStream(a.stream, durable))
		if err != nil {
			return nil, err
		}
		for n := uint64(1); ; n++ {
			m, err := dead.GetMsg(ctx, n, jetstream.WithGetMsgSubject(">"))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read the dead letters of %s: %w", durable, err)
			}
			ids = append(ids, m.Header.Get("Relaybox-Msg-Id"))
			n = m.Sequence
		}
	}
	return ids, nil
}
