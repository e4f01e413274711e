package amqpserver

import "errors"

// Interruption is an error with which a backend changes how an answer is given: to test what clients do when a network
// or a broker fails at the worst moment. Target, Responder, Source.Settle and the attach methods may return it.
type Interruption struct {
	// Err is what is answered in the end; nil is success.
	Err error
	// Cut ends the connection without the answer, once everything that the backend has done is durable.
	Cut bool
	// Hold, without Cut, is called with what gives the answer: later, from any goroutine, once or never.
	Hold func(resume func())
}

// Error is never sent: an interruption changes how an answer travels.
func (*Interruption) Error() string { return "interrupted" }

// conclude gives an answer, unless the backend wants it held or never given. The caller holds mu; so does answer's.
func (c *conn) conclude(err error, answer func(error)) {
	var i *Interruption
	switch {
	case !errors.As(err, &i):
		answer(err)
	case i.Cut:
		c.cut()
	default:
		i.Hold(func() {
			c.post(func() {
				if !c.over {
					answer(i.Err)
				}
			})
		})
	}
}

// cut ends the connection as a broken network would: what has not been written never is.
func (c *conn) cut() {
	c.closing, c.cutting = true, true
	c.kick()
}

// Cut implements Link.
func (l *link) Cut() { l.session.conn.post(l.session.conn.cut) }
