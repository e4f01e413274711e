package amqpwire

// State is a delivery state (3.4): one of Received, Accepted, Rejected, Released, Modified, Declared, Transactional, Unknown. nil is none.
type State interface{ composite }

type (
	// Received says how far a resumed delivery got.
	Received struct {
		SectionNumber uint32
		SectionOffset uint64
	}
	// Accepted: processed.
	Accepted struct{}
	// Rejected: invalid and unprocessable. Service Bus dead-letters it.
	Rejected struct{ Error *Error }
	// Released: not processed, as if it had never been sent.
	Released struct{}
	// Modified: not processed, and changed.
	Modified struct {
		DeliveryFailed     bool
		UndeliverableHere  bool
		MessageAnnotations Raw // a map, or nil
	}
	// Unknown is a state of another extension.
	Unknown struct{ Code uint64 }
)

func (*Received) code() byte { return 0x23 }
func (*Accepted) code() byte { return 0x24 }
func (*Rejected) code() byte { return 0x25 }
func (*Released) code() byte { return 0x26 }
func (*Modified) code() byte { return 0x27 }
func (*Unknown) code() byte  { return 0 }

func (s *Received) layout(c *coder) {
	c.uint(&s.SectionNumber)
	c.ulong(&s.SectionOffset)
}
func (*Accepted) layout(*coder)     {}
func (s *Rejected) layout(c *coder) { nested(c, &s.Error) }
func (*Released) layout(*coder)     {}
func (s *Modified) layout(c *coder) {
	c.bool(&s.DeliveryFailed)
	c.bool(&s.UndeliverableHere)
	c.raw(&s.MessageAnnotations)
}
func (*Unknown) layout(*coder) {}

func blankState(code uint64) State {
	switch code {
	case 0x23:
		return new(Received)
	case 0x24:
		return new(Accepted)
	case 0x25:
		return new(Rejected)
	case 0x26:
		return new(Released)
	case 0x27:
		return new(Modified)
	case 0x33:
		return new(Declared)
	case 0x34:
		return new(Transactional)
	}
	return nil
}

// state codes a delivery state of any type.
func (c *coder) state(p *State) {
	if c.in == nil {
		if *p == nil {
			c.null()
			return
		}
		c.count++
		c.out = appendComposite(c.out, *p)
		return
	}
	if !c.present() {
		return
	}
	code, err := c.in.descriptor()
	if err != nil {
		c.err = err
		return
	}
	if s := blankState(code); s != nil {
		*p, c.err = s, c.in.fields(s)
		return
	}
	*p, c.err = &Unknown{code}, c.in.skip(0)
}
