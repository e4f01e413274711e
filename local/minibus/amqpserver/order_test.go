package amqpserver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// A confirmation repeats the outcome that the client asked for: Java's and Python's clients take any other for a failure.
func TestOutcomesAreRepeated(t *testing.T) {
	t.Parallel()
	w := serve(t, &memBackend{})().open(100)
	w.attachSender(0)
	notes := amqpwire.Append(nil, amqpwire.Map{{Key: amqpwire.Symbol("k"), Value: "v"}})
	verdicts := []struct{ asked, told amqpwire.State }{
		{&amqpwire.Accepted{}, &amqpwire.Accepted{}},
		{&amqpwire.Released{}, &amqpwire.Released{}},
		{&amqpwire.Modified{MessageAnnotations: notes}, &amqpwire.Modified{}},
		{&amqpwire.Modified{DeliveryFailed: true}, &amqpwire.Modified{DeliveryFailed: true}},
		{&amqpwire.Modified{UndeliverableHere: true}, &amqpwire.Modified{UndeliverableHere: true}},
		{&amqpwire.Rejected{}, &amqpwire.Rejected{}},
	}
	for i := range verdicts {
		w.post(0, uint32(i), []byte("x"))
	}
	w.send(0, &amqpwire.Attach{Name: "r", Handle: 1, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "node"}, Target: &amqpwire.Target{}})
	expect[*amqpwire.Attach](w)
	w.send(0, &amqpwire.Flow{NextIncomingID: new(uint32(0)), IncomingWindow: 100, OutgoingWindow: 100, Handle: new(uint32(1)), DeliveryCount: new(uint32(0)), LinkCredit: new(uint32(100))})
	for i, v := range verdicts {
		require.EqualValues(t, i, *expect[*amqpwire.Transfer](w).DeliveryID)
		w.send(0, &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: uint32(i), State: v.asked})
	}
	for i, v := range verdicts {
		d := expect[*amqpwire.Disposition](w)
		require.EqualValues(t, i, d.First)
		require.Equal(t, v.told, d.State)
	}
}

// replier is a request-response node that echoes.
type replier struct{ memBackend }

func (r *replier) Connect(string) Peer                                 { return r }
func (r *replier) AttachTarget(*amqpwire.Attach, Link) (Target, error) { return r, nil }
func (r *replier) Respond(payload []byte) (reply []byte, err error)    { return payload, nil }
func (r *replier) AttachSource(_ *amqpwire.Attach, link Link) func() {
	link.Attached(&Replies{}, nil)
	return nil
}

// Frames of a session act in order (2.5): a request may stand right behind the attach of the link for its reply.
func TestRequestBehindItsReplyLink(t *testing.T) {
	t.Parallel()
	dial := serve(t, &replier{})
	for range 50 {
		w := dial().open(100)
		burst := amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, &amqpwire.Attach{Name: "s", Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: "node"}})
		w.write(burst)
		expect[*amqpwire.Attach](w)
		expect[*amqpwire.Flow](w)
		burst = amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, &amqpwire.Attach{Name: "r", Handle: 1, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "node"}, Target: &amqpwire.Target{}})
		burst, _ = amqpwire.AppendTransfers(burst, 0, amqpwire.Transfer{DeliveryID: new(uint32(0)), DeliveryTag: []byte{0}, MessageFormat: new(uint32(0))}, []byte("ask"), 512)
		w.write(burst)
		expect[*amqpwire.Attach](w)
		require.IsType(t, &amqpwire.Accepted{}, expect[*amqpwire.Disposition](w).State)
		w.conn.Close()
	}
}
