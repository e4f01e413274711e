// Package websocket is the server's side of WebSockets (RFC 6455) as far as AMQP needs it: what the client's binary frames
// carry is a stream of bytes, and so is what goes back.
//
// What it promises: a [Conn] reads and writes like the connection below it, with that one's deadlines; a ping is answered
// while somebody reads, and of a client that breaks the protocol nothing is read any more. Frames are passed on as they
// arrive, so that their size costs no memory. It offers no extensions, and it has no client's side.
package websocket
