package amqpwire

import "bytes"

// Coordinator (4.5.1) is the target of a link that controls transactions.
type Coordinator struct{ Capabilities []Symbol }

func (*Coordinator) code() byte        { return 0x30 }
func (k *Coordinator) layout(c *coder) { c.symbols(&k.Capabilities) }

// Declare (4.5.2) begins a transaction.
type Declare struct{ GlobalID Raw }

func (*Declare) code() byte        { return 0x31 }
func (d *Declare) layout(c *coder) { c.raw(&d.GlobalID) }

// Discharge (4.5.3) ends one: it is rolled back if Fail is set.
type Discharge struct {
	TxnID []byte
	Fail  bool
}

func (*Discharge) code() byte { return 0x32 }
func (d *Discharge) layout(c *coder) {
	c.binary(&d.TxnID)
	c.bool(&d.Fail)
}

// Declared (4.5.5) is the outcome of Declare.
type Declared struct{ TxnID []byte }

func (*Declared) code() byte        { return 0x33 }
func (d *Declared) layout(c *coder) { c.binary(&d.TxnID) }

// Transactional (4.5.8) says that a transfer or an outcome is part of a transaction.
type Transactional struct {
	TxnID   []byte
	Outcome State // nil for a transfer
}

func (*Transactional) code() byte { return 0x34 }
func (s *Transactional) layout(c *coder) {
	c.binary(&s.TxnID)
	c.state(&s.Outcome)
	s.TxnID = bytes.Clone(s.TxnID) // it outlives the frame: a transfer may have several
	if _, deeper := s.Outcome.(*Transactional); deeper && c.err == nil {
		c.err = malformed("a transactional state in another")
	}
}

// DecodeControl reads what a coordinator has been sent: *Declare or *Discharge.
func DecodeControl(payload []byte) (any, error) {
	m, err := Split(payload)
	if err != nil {
		return nil, err
	}
	r := NewReader(m.Body)
	if code, err := r.descriptor(); err != nil || code != sectionValue {
		return nil, malformed("a coordinator takes amqp-values")
	}
	code, err := r.descriptor()
	if err != nil {
		return nil, err
	}
	var c composite
	switch code {
	case 0x31:
		c = new(Declare)
	case 0x32:
		c = new(Discharge)
	default:
		return nil, malformed("0x%x is no message for a coordinator", code)
	}
	return c, r.fields(c)
}

// AppendControl encodes a *Declare or *Discharge as a message.
func AppendControl(b []byte, control any) []byte {
	return appendComposite(append(b, codeDescribed, codeSmallUlong, sectionValue), control.(composite))
}
