// Package minibus is an Azure Service Bus for one machine: queues, topics with subscriptions, sessions, peek-lock,
// dead-letter queues, duplicate detection, schedules. The production SDK (azservicebus) talks to it over AMQP 1.0 and
// needs no change but the connection string. Topologies come from the official emulator's Config.json.
//
// What it promises:
//   - A message whose send was confirmed is there until a receiver's settlement of it was confirmed, or it expires: also
//     after kill -9 and a restart on the same Options.Dir. The same holds for session states, schedules, delivery counts
//     and duplicate detection. Nobody is told of anything, and no message is handed out, before it is on disk.
//   - A batch is stored whole or not at all.
//   - Messages of an entity, or of a session, are handed out in the order of their sequence numbers; one that comes back
//     goes to its old place. A session has one owner. At most MaxDeliveryCount deliveries.
//   - What the broker does not own in a message is delivered byte for byte as it was sent.
//   - Tokens are verified (signature, expiry, audience, claims), links without the claim refused.
//
// The administration REST interface (AdminHandler) tells azservicebus/admin every property and true counts; it does not
// change entities yet. It speaks plain HTTP, as the official emulator's does.
//
// What it does not promise: locks do not survive a restart, and a delivery that was under way then is not counted.
// Message bodies are kept in memory. Missing are transactions, partitions, websockets and
// changing entities while the broker runs. A token's expiry is looked at when a link is attached.
//
// State machine of a message; every arrow is one batch of the journal:
//
//	send ──────────────→ active ──receive──→ active, locked ──complete──────────────→ gone
//	schedule → scheduled ──due──↗  ↑                │ ├──release, session closed──→ active
//	                               └──abandon, lock expired: count+1────────────────┘ │
//	active, count = max, or expired with the flag, or rejected ──→ dead-letter queue  ├──defer──→ deferred
//	expired without the flag ──→ gone                    deferred ──by number──→ deferred, locked
//
// Choices where Service Bus documents nothing: copies in subscriptions and dead-letter queues have numbers of their own
// and carry the old one as x-opt-enqueue-sequence-number; deferring does not count as a failed delivery; a deferred
// message does not expire; session state belongs to the session's owner; a link whose session lock has expired is
// detached with com.microsoft:session-lock-lost; cancelling an unknown schedule is a 404; deferred messages count as
// active in the administration interface; an entity's AccessedAt is zero after a restart. A rule whose SQL cannot be
// evaluated for a message, or whose action cannot be applied to it, does not take it. The copies of
// several rules stand in the order of the rules. What package sqlfilter had to choose stands there.
//
// Lock order: an amqpserver connection's lock, broker.mu, journal.mu.
package minibus
