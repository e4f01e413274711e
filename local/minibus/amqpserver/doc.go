// Package amqpserver speaks the server's side of AMQP 1.0 for a broker behind it: connections, SASL, sessions, links,
// flow control, transfers of any size, dispositions, heartbeats. What a node is and what a message means is the
// [Backend]'s business.
//
// What it promises:
//   - Nothing that the backend has answered leaves the process before [Backend.Durable] has said that the answer will
//     survive: output is buffered, and each write waits for the position that it depends on. All frames of a read burst,
//     and all that arrive while a sync is under way, share the next sync.
//   - A peer that breaks the protocol gets the AMQP error that names the fault and loses its connection, session or
//     link, and nobody else notices. Memory per connection is bounded: frames, partial messages, links, sessions and
//     unwritten output.
//   - An idle connection carries a heartbeat at least every 15 seconds, also while an answer waits for [Backend.Durable].
//
// What it does not promise: resuming links (unsettled maps), distributed transactions, link stealing across connections. A link that ends is gone; what its unsettled deliveries mean then is for the backend to say.
//
// State machine of a link, the client's frames on the left:
//
//	attach  → (backend decides, maybe later) → attached, or refused: attach with a null terminus and detach
//	flow    → credit; transfers go out while there is credit, session window and room in the buffer
//	detach  → answered, gone.   A detach of ours → waits for the client's detach, then gone.
//
// Two goroutines own a connection. The reader decodes frames and applies them under conn.mu. The writer waits for
// wake-ups, pulls deliveries from sources under conn.mu and does all the writing; what it waits for Durable with is a
// goroutine of one call. Lock order: conn.mu, then whatever
// the backend locks in its methods; the backend calls back only through [Link], which takes conn.postMu alone.
package amqpserver
