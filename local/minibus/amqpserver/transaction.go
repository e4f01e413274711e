package amqpserver

import (
	"errors"
	"maps"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// errGone is why a part of a transaction is refused that came too late.
var errGone = amqpwire.Errorf(amqpwire.CondIllegalState, "The link has been detached.")

// coordinate begins or ends a transaction (4.2, 4.3).
func (c *conn) coordinate(node Coordinator, payload []byte) (amqpwire.State, error) {
	control, err := amqpwire.DecodeControl(payload)
	if err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "coordinator: %v", err)
	}
	switch control := control.(type) {
	case *amqpwire.Declare:
		id, err := node.Declare()
		return &amqpwire.Declared{TxnID: id}, err
	case *amqpwire.Discharge:
		err := node.Discharge(control.TxnID, control.Fail)
		if err == nil && !control.Fail {
			c.retire(string(control.TxnID))
		}
		return &amqpwire.Accepted{}, err
	}
	return nil, amqpwire.Errorf(amqpwire.CondNotImplemented, "coordinator: %T", control)
}

// retire forgets the deliveries whose verdicts have come true with a transaction (4.4.2).
func (c *conn) retire(txn string) {
	for _, s := range c.sessions {
		maps.DeleteFunc(s.unsettled, func(_ uint32, d *delivery) bool { return d.txn == txn })
	}
}

// spoil sees to it that a transaction does not happen without a part of it whose refusal nobody hears of: one that was sent settled.
func (c *conn) spoil(state amqpwire.State, settled bool, why error) {
	t, transactional := state.(*amqpwire.Transactional)
	if !transactional || !settled {
		return
	}
	var i *Interruption
	if errors.As(why, &i) {
		why = i.Err
	}
	if p, ok := c.peer.(Transacting); ok && why != nil {
		p.Spoil(t.TxnID, why)
	}
}

// verdict acts on a client's verdict, as part of a transaction if it says so (4.4.2).
func verdict(of Source, tag []byte, state amqpwire.State) error {
	t, transactional := state.(*amqpwire.Transactional)
	if !transactional {
		return of.Settle(tag, state)
	}
	source, enlists := of.(EnlistedSource)
	if !enlists {
		return amqpwire.Errorf(amqpwire.CondNotImplemented, "this link takes no part in transactions")
	}
	return source.SettleIn(t.TxnID, tag, t.Outcome)
}
