// Package door lets clients of all protocols in on one port. The first byte tells which: AMQP begins with the letters, a
// TLS client with a handshake record, an HTTP request with its method. Inside TLS there is a first byte again.
//
// What it promises: a client that says nothing holds up nobody and is turned away after 30 seconds. After Close and Wait
// no goroutine of the door and no silent connection is left; who is in belongs to the server of its protocol.
package door
