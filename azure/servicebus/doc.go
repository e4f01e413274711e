// Package servicebus sends events to an Azure Service Bus topic. It implements
// outbox.Publisher. DeadLetters is the operator's side of a subscription, with promises of its own.
//
// The publisher promises:
//
//   - nil means that the broker has confirmed the event;
//   - events of one key go out in the order of the call, and none after an earlier one
//     of its key failed;
//   - an error's class says whether the message is to blame or the way to the broker;
//   - Publish returns when its context ends, whatever the broker does, and a connection
//     that got stuck is replaced, so that the first send after an outage succeeds.
//
// It does not promise that an event is sent once: after a timeout or a lost connection
// nobody knows, and it goes out again under the same MessageId. Neither does it wait
// for a broker that is away: that is the dispatcher's part.
//
// # Group commit
//
//	Publish ─key's hash→ lane ─┐ waits while the lane's send is under way
//	Publish ─key's hash→ lane ─┴─→ one message batch of all that waited → confirmed
//
// A key always goes through the same lane, so order per key needs no lock. While a
// send is under way, calls queue; then all of them go out together. So an idle system
// sends at once and a busy one sends few, large batches.
//
// # The life of a connection
//
//	none ──first send──→ attached ──detached, lost, stalled, refused, idle──→ retired
//	  └────────────────────────────── next send ───────────────────────────┘
//
// The SDK repairs links only inside a call, between its own retries; those are off. A
// session that failed in any way but a plain refusal of a message is therefore dropped
// as a whole, and a send that met a stale one is repeated once on a fresh one. An idle one
// is retired too: the SDK renews its claim, and dials without a pause when the broker is away
// at that moment.
//
// Locks, in this order: Client.mu; call.mu.
package servicebus
