// Package jetstream sends events to a stream of NATS JetStream, and takes them from there. It
// implements outbox.Publisher.
//
// The publisher promises what package servicebus does:
//
//   - nil means that the stream has stored the event, or had stored it before;
//   - events of one key go out in the order of the call, and none after an earlier one of its
//     key failed;
//   - an error's class says whether the message is to blame or the way to the broker;
//   - Publish returns when its context ends, whatever the broker does, and a connection that
//     got stuck is replaced.
//
// It does not promise that an event is sent once: after a lost answer nobody knows (class
// Ambiguous), and it goes out again under the same Nats-Msg-Id, which the stream drops within its
// duplicate window. Neither does it wait for a broker that is away: that is the dispatcher's part.
//
// # Order: one message of a key on its way at a time
//
//	key a: a1 ──→ acknowledged ──→ a2 ──→ …
//	key b: b1 ──→ acknowledged ──→ b2 ──→ …      Window messages at once, over one connection
//
// A stream answers each message by itself, so of two messages of a key that are on their way at
// once the first may be refused, or be lost with the connection, and the second stored: the
// retry of the first would come behind it. Nothing that the server offers mends that for
// messages in flight:
//
//   - Nats-Expected-Last-Subject-Sequence fences a message by its predecessor's sequence, which
//     is known when the predecessor is acknowledged, and not before. It would also refuse a second
//     dispatcher of the key, which is harmless here (package outbox: there are no leases).
//   - Nats-Expected-Last-Msg-Id is about the whole stream, where other keys come in between.
//   - An atomic batch (from server 2.12, where the stream allows it) refuses a batch with an id
//     that it knows already, which is what a repetition after a lost answer is.
//
// So the acknowledgement is the fence. A key costs a round trip per event; what makes the
// throughput is that keys do not wait for each other: their messages share the connection and its
// writes, in any number up to Window.
//
// The client's own buffer for messages while it reconnects is off: what it would send later has
// failed for its caller, who sends it again.
//
// # The consumer
//
// A Consumer asks a durable pull consumer, which instances share, for as many messages as it may have
// in hand, and acknowledges each after its effect:
//
//	delivered ──→ in hand, the server hears of it ──nil──→ acknowledged
//	    ↑              │
//	    │              ├ may pass ──→ given back, 1 s to 30 s, however often
//	    │              ├ refused ───→ given back, 20 ms to 1 s
//	    │              └ refused on its last delivery, or a later one, and
//	    │                ten times here ──→ stored as a dead letter ──→ ended
//	    └──────────── the instance died, or no stream took the letter
//
// It promises that a message is ended only after its effect, or after a stream has acknowledged its
// dead letter. It does not promise that a message comes once, nor in the order of the stream: package
// inbox has the numbers for that.
//
// # Subjects
//
// An event goes to PREFIX.KIND.ID, so that a consumer can take a kind (PREFIX.KIND.>) or an
// entity. See Subject.
//
// # The life of the connection
//
//	none ──first send──→ connected ──lost, or deaf for 2 s──→ reconnecting, in the background
//	                         ↑                                     │  a send fails at once, and
//	                         └─────────────────────────────────────┘  has it tried now
//
// Locks: Client.mu and waits.mu; neither is held over I/O, nor together.
package jetstream
