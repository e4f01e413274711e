package minibus_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// echo speaks the same frames as a broker and keeps nothing: what a client gets from it is what client and protocol
// cost without a broker.
type echo struct{ message []byte }

func echoConnection(b *testing.B) string {
	s := amqpserver.New(&echo{message: encoded(b)}, nil)
	l := listen(b)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	b.Cleanup(func() {
		require.NoError(b, s.Close())
		require.NoError(b, <-served)
	})
	return minibus.DefaultPolicy.ConnectionString(l.Addr().String())
}

// encoded is a delivery of a message of 1 KB, as the broker would encode it.
func encoded(b *testing.B) []byte {
	header := amqpwire.Header{DeliveryCount: new(uint32(0))}
	properties := amqpwire.Properties{MessageID: "id"}
	m := amqpwire.AppendSectionMap(header.Append(nil), amqpwire.MessageAnnotations, 1, func(b []byte) []byte {
		return amqpwire.AppendLong(amqpwire.AppendSymbol(b, "x-opt-sequence-number"), 1)
	})
	return amqpwire.AppendData(properties.Append(m), make([]byte, 1024))
}

func (e *echo) Connect(string) amqpserver.Peer { return e }
func (*echo) Position() uint64                 { return 0 }
func (*echo) Durable(uint64) error             { return nil }
func (*echo) Close()                           {}

func (e *echo) AttachTarget(a *amqpwire.Attach, _ amqpserver.Link) (amqpserver.Target, error) {
	if answers(a.Target.Address) {
		return yes{}, nil
	}
	return devoured{}, nil
}

func (e *echo) AttachSource(a *amqpwire.Attach, l amqpserver.Link) func() {
	switch {
	case answers(a.Source.Address):
		l.Attached(&amqpserver.Replies{}, nil)
	case len(a.Source.Filter) > 0:
		l.Attached(anySession{endless{e.message}}, nil)
	default:
		l.Attached(endless{e.message}, nil)
	}
	return nil
}

// answers says whether requests go to a node.
func answers(address string) bool {
	return strings.HasSuffix(address, "$cbs") || strings.HasSuffix(address, "$management")
}

type devoured struct{}

func (devoured) Receive(uint32, []byte) error { return nil }
func (devoured) MaxMessageSize() uint64       { return 262144 }
func (devoured) Detach()                      {}

// yes answers put-token.
type yes struct{ devoured }

func (yes) Respond(request []byte) ([]byte, error) {
	m, err := amqpwire.Split(request)
	if err != nil {
		return nil, err
	}
	var asked amqpwire.Properties
	if err := asked.Decode(m.Properties); err != nil {
		return nil, err
	}
	answer := amqpwire.Properties{CorrelationID: asked.MessageID}
	b := amqpwire.AppendSectionMap(answer.Append(nil), amqpwire.ApplicationProperties, 2, func(b []byte) []byte {
		b = amqpwire.Append(amqpwire.AppendString(b, "status-code"), int32(202))
		return amqpwire.AppendString(amqpwire.AppendString(b, "status-description"), "Accepted")
	})
	return amqpwire.AppendValue(b, nil), nil
}

// endless always has a message.
type endless struct{ message []byte }

func (e endless) Take(n int, emit func(tag, payload []byte) (room bool)) int {
	for i := range n {
		tag := uuid.New()
		if !emit(tag[:], e.message) {
			return i + 1
		}
	}
	return n
}
func (endless) Settle([]byte, amqpwire.State) error { return nil }
func (endless) Describe(*amqpwire.Attach)           {}
func (endless) Detach()                             {}

// anySession is what a client gets that asks for the next session.
type anySession struct{ endless }

func (anySession) Describe(a *amqpwire.Attach) {
	asked, _ := a.Source.Filter[0].Value.(amqpwire.Described)
	source := *a.Source
	source.Filter = amqpwire.Map{{Key: a.Source.Filter[0].Key, Value: amqpwire.Described{Descriptor: asked.Descriptor, Value: "any"}}}
	a.Source = &source
}
