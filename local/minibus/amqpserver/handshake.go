package amqpserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Protocol headers (2.2, 5.3.2).
const (
	headerAMQP = "AMQP\x00\x01\x00\x00"
	headerSASL = "AMQP\x03\x01\x00\x00"
)

// mechanisms are those of Service Bus. Any of them is accepted: who may do what is settled on $cbs, not here.
var mechanisms = []amqpwire.Symbol{"MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"}

// handshake exchanges protocol headers and runs SASL if the client asks for it. It writes directly: the writer has not
// been started.
func (c *conn) handshake() (*amqpwire.FrameReader, error) {
	if err := c.net.SetDeadline(time.Now().Add(handshakeWithin)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c.net)
	header, err := c.exchangeHeader(r, headerSASL, headerAMQP)
	if err == nil && header == headerSASL {
		if err = c.sasl(r); err == nil {
			_, err = c.exchangeHeader(r, headerAMQP)
		}
	}
	if err != nil {
		return nil, err
	}
	// What the client has pipelined behind its header is in r; everything else comes through input.
	buffered, err := r.Peek(r.Buffered())
	if err != nil {
		return nil, err
	}
	rest := io.MultiReader(bytes.NewReader(buffered), input{c})
	return amqpwire.NewFrameReader(bufio.NewReaderSize(rest, maxFrameSize), maxFrameSize), c.net.SetDeadline(time.Time{})
}

// exchangeHeader reads a protocol header and repeats it. A wrong one is answered with the right one (2.2).
func (c *conn) exchangeHeader(r io.Reader, want ...string) (string, error) {
	var got [8]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return "", err
	}
	for _, h := range want {
		if string(got[:]) == h {
			_, err := io.WriteString(c.net, h)
			return h, err
		}
	}
	if _, err := io.WriteString(c.net, want[0]); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%w: protocol header %q", errProtocol, got)
}

// sasl runs the negotiation (5.3): mechanisms, init, outcome.
func (c *conn) sasl(r io.Reader) error {
	if err := c.writeSASL(&amqpwire.SASLMechanisms{Mechanisms: mechanisms}); err != nil {
		return err
	}
	f, err := amqpwire.NewFrameReader(r, amqpwire.MinMaxFrameSize).Next() // 5.3.1: no SASL frame is larger
	if err != nil {
		return err
	}
	p, _, err := amqpwire.DecodePerformative(f.Body)
	if err != nil {
		return err
	}
	if _, ok := p.(*amqpwire.SASLInit); !ok || f.Type != amqpwire.FrameSASL {
		return fmt.Errorf("%w: %T where sasl-init must stand", errProtocol, p)
	}
	return c.writeSASL(&amqpwire.SASLOutcome{})
}

func (c *conn) writeSASL(p amqpwire.Performative) error {
	_, err := c.net.Write(amqpwire.AppendFrame(nil, amqpwire.FrameSASL, 0, p))
	return err
}
