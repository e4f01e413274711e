package amqpserver

import "errors"

var (
	// errClosed ends a reader whose peer has sent close and got its answer.
	errClosed = errors.New("closed by the peer")
	// errProtocol: the first bytes are no AMQP 1.0; the peer has been told what would be.
	errProtocol = errors.New("not AMQP 1.0")
)
