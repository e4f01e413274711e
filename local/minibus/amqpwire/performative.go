package amqpwire

import "fmt"

// Performative is the body of a frame (2.7), SASL's included (5.3.3).
type Performative interface{ composite }

// Role says which end of a link spoke (2.8.1).
type Role = bool

// The two roles.
const (
	RoleSender   Role = false
	RoleReceiver Role = true
)

// Settlement modes (2.8.2, 2.8.3).
const (
	SndUnsettled uint8 = 0
	SndSettled   uint8 = 1
	SndMixed     uint8 = 2
	RcvFirst     uint8 = 0
	RcvSecond    uint8 = 1
)

// Open (2.7.1) is the first frame each way.
type Open struct {
	ContainerID  string
	Hostname     string
	MaxFrameSize *uint32 // absent: 4294967295
	ChannelMax   *uint16 // absent: 65535
	IdleTimeOut  *uint32 // milliseconds; absent: none
	Outgoing     Raw     // locales
	Incoming     Raw
	Offered      Raw // capabilities
	Desired      Raw
	Properties   Raw
}

func (p *Open) code() byte { return 0x10 }
func (p *Open) layout(c *coder) {
	c.required(&p.ContainerID)
	c.string(&p.Hostname)
	c.optUint(&p.MaxFrameSize)
	c.optUshort(&p.ChannelMax)
	c.optUint(&p.IdleTimeOut)
	c.raw(&p.Outgoing)
	c.raw(&p.Incoming)
	c.raw(&p.Offered)
	c.raw(&p.Desired)
	c.raw(&p.Properties)
}

// Begin (2.7.2) maps a session to a channel.
type Begin struct {
	RemoteChannel  *uint16 // absent from the side that begins
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	HandleMax      *uint32 // absent: 4294967295
	Offered        Raw
	Desired        Raw
	Properties     Raw
}

func (p *Begin) code() byte { return 0x11 }
func (p *Begin) layout(c *coder) {
	c.optUshort(&p.RemoteChannel)
	c.uint(&p.NextOutgoingID)
	c.uint(&p.IncomingWindow)
	c.uint(&p.OutgoingWindow)
	c.optUint(&p.HandleMax)
	c.raw(&p.Offered)
	c.raw(&p.Desired)
	c.raw(&p.Properties)
}

// Attach (2.7.3) makes a link.
type Attach struct {
	Name                 string
	Handle               uint32
	Role                 Role
	SndSettleMode        *uint8
	RcvSettleMode        *uint8
	Source               *Source
	Target               *Target
	Coordinator          *Coordinator // instead of Target: a link that controls transactions
	Unsettled            Raw
	IncompleteUnsettled  bool
	InitialDeliveryCount *uint32
	MaxMessageSize       uint64 // 0: no limit
	Offered              Raw
	Desired              Raw
	Properties           Map
}

func (p *Attach) code() byte { return 0x12 }
func (p *Attach) layout(c *coder) {
	c.required(&p.Name)
	c.uint(&p.Handle)
	c.bool(&p.Role)
	c.optUbyte(&p.SndSettleMode)
	c.optUbyte(&p.RcvSettleMode)
	nested(c, &p.Source)
	c.target(&p.Target, &p.Coordinator)
	c.raw(&p.Unsettled)
	c.bool(&p.IncompleteUnsettled)
	c.optUint(&p.InitialDeliveryCount)
	c.ulong(&p.MaxMessageSize)
	c.raw(&p.Offered)
	c.raw(&p.Desired)
	c.mapping(&p.Properties)
}

// Flow (2.7.4) updates windows and credit. Without a handle it concerns the session only.
type Flow struct {
	NextIncomingID *uint32
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         *uint32
	DeliveryCount  *uint32
	LinkCredit     *uint32
	Available      *uint32
	Drain          bool
	Echo           bool
	Properties     Raw
}

func (p *Flow) code() byte { return 0x13 }
func (p *Flow) layout(c *coder) {
	c.optUint(&p.NextIncomingID)
	c.uint(&p.IncomingWindow)
	c.uint(&p.NextOutgoingID)
	c.uint(&p.OutgoingWindow)
	c.optUint(&p.Handle)
	c.optUint(&p.DeliveryCount)
	c.optUint(&p.LinkCredit)
	c.optUint(&p.Available)
	c.bool(&p.Drain)
	c.bool(&p.Echo)
	c.raw(&p.Properties)
}

// Transfer (2.7.5) carries a message or a part of one; the bytes follow it in the frame.
type Transfer struct {
	Handle        uint32
	DeliveryID    *uint32 // may be absent after the first frame of a delivery
	DeliveryTag   []byte
	MessageFormat *uint32
	Settled       *bool
	More          bool
	RcvSettleMode *uint8
	State         State
	Resume        bool
	Aborted       bool
	Batchable     bool
}

func (p *Transfer) code() byte { return 0x14 }
func (p *Transfer) layout(c *coder) {
	c.uint(&p.Handle)
	c.optUint(&p.DeliveryID)
	c.binary(&p.DeliveryTag)
	c.optUint(&p.MessageFormat)
	c.optBool(&p.Settled)
	c.bool(&p.More)
	c.optUbyte(&p.RcvSettleMode)
	c.state(&p.State)
	c.bool(&p.Resume)
	c.bool(&p.Aborted)
	c.bool(&p.Batchable)
}

// Disposition (2.7.6) tells the fate of deliveries First..Last of the peer's or the own sending.
type Disposition struct {
	Role      Role
	First     uint32
	Last      *uint32 // absent: First
	Settled   bool
	State     State
	Batchable bool
}

func (p *Disposition) code() byte { return 0x15 }
func (p *Disposition) layout(c *coder) {
	c.bool(&p.Role)
	c.uint(&p.First)
	c.optUint(&p.Last)
	c.bool(&p.Settled)
	c.state(&p.State)
	c.bool(&p.Batchable)
}

// Detach (2.7.7) ends a link.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

func (p *Detach) code() byte { return 0x16 }
func (p *Detach) layout(c *coder) {
	c.uint(&p.Handle)
	c.bool(&p.Closed)
	nested(c, &p.Error)
}

// End (2.7.8) ends a session.
type End struct{ Error *Error }

func (p *End) code() byte      { return 0x17 }
func (p *End) layout(c *coder) { nested(c, &p.Error) }

// Close (2.7.9) ends the connection.
type Close struct{ Error *Error }

func (p *Close) code() byte      { return 0x18 }
func (p *Close) layout(c *coder) { nested(c, &p.Error) }

// SASLMechanisms (5.3.3.1) lists what the server accepts.
type SASLMechanisms struct{ Mechanisms []Symbol }

func (p *SASLMechanisms) code() byte      { return 0x40 }
func (p *SASLMechanisms) layout(c *coder) { c.symbols(&p.Mechanisms) }

// SASLInit (5.3.3.2) is the client's choice.
type SASLInit struct {
	Mechanism       Symbol
	InitialResponse []byte
	Hostname        string
}

func (p *SASLInit) code() byte { return 0x41 }
func (p *SASLInit) layout(c *coder) {
	c.symbol(&p.Mechanism)
	c.binary(&p.InitialResponse)
	c.string(&p.Hostname)
}

// SASLOutcome (5.3.3.6) ends the negotiation; code 0 is success.
type SASLOutcome struct {
	Code           uint8
	AdditionalData []byte
}

func (p *SASLOutcome) code() byte { return 0x44 }
func (p *SASLOutcome) layout(c *coder) {
	c.ubyte(&p.Code)
	c.binary(&p.AdditionalData)
}

// blank makes the empty performative of a code.
func blank(code uint64) (Performative, error) {
	switch code {
	case 0x10:
		return new(Open), nil
	case 0x11:
		return new(Begin), nil
	case 0x12:
		return new(Attach), nil
	case 0x13:
		return new(Flow), nil
	case 0x14:
		return new(Transfer), nil
	case 0x15:
		return new(Disposition), nil
	case 0x16:
		return new(Detach), nil
	case 0x17:
		return new(End), nil
	case 0x18:
		return new(Close), nil
	case 0x40:
		return new(SASLMechanisms), nil
	case 0x41:
		return new(SASLInit), nil
	case 0x44:
		return new(SASLOutcome), nil
	}
	return nil, malformed("no performative 0x%x", code)
}

// AppendPerformative encodes p without a frame around it.
func AppendPerformative(b []byte, p Performative) []byte { return appendComposite(b, p) }

// DecodePerformative reads the performative at the start of a frame body and returns what follows it, the payload of a
// transfer. Binaries and Raw values point into body.
func DecodePerformative(body []byte) (Performative, []byte, error) {
	r := NewReader(body)
	code, err := r.descriptor()
	if err != nil {
		return nil, nil, err
	}
	p, err := blank(code)
	if err != nil {
		return nil, nil, err
	}
	if err := r.fields(p); err != nil {
		return nil, nil, fmt.Errorf("performative 0x%x: %w", code, err)
	}
	return p, r.Rest(), nil
}
