// Package minibus is an Azure Service Bus for one machine: queues, topics with subscriptions, sessions, peek-lock,
// dead-letter queues, duplicate detection, schedules. The production SDK (azservicebus) talks to it over AMQP 1.0 and
// needs no change but the connection string. Topologies come from the official emulator's Config.json.
//
// What it promises:
//   - A message whose send was confirmed is there until a receiver's settlement of it was confirmed, or it expires: also
//     after kill -9 and a restart on the same Options.Dir. The same holds for session states, schedules, delivery counts
//     and duplicate detection. Nobody is told of anything, and no message is handed out, before it is on disk.
//   - A batch is stored whole or not at all, and so is a transaction: nothing of it shows before it is committed.
//   - Messages of an entity, or of a session, are handed out in the order of their sequence numbers; one that comes back
//     goes to its old place. A session has one owner. At most MaxDeliveryCount deliveries.
//   - What the broker does not own in a message is delivered byte for byte as it was sent.
//   - Tokens are verified (signature, expiry, audience, claims), links without the claim refused, and ended with the token.
//
// One port speaks AMQP and HTTP, each also over TLS, and AMQP over WebSockets. The administration REST interface (AdminHandler) lets
// azservicebus/admin create, read, change, list and delete entities and rules, with true counts; what it changes survives
// a restart, and goes over the configuration for as long as that says of the entity what it said then.
//
// Faults are values that tests switch on (Inject, POST /relaybox/faults); Advance skips time.
//
// What it does not promise: locks do not survive a restart, and a delivery that was under way then is not counted.
// Missing are partitioned entities. Without Options.Dir everything is in memory; with it, the contents of a long backlog are not.
//
// State machine of a message; every arrow is one batch of the journal:
//
//	send ──────────────→ active ──receive──→ active, locked ──complete──────────────→ gone
//	schedule → scheduled ──due──↗  ↑                │ ├──release, session closed──→ active
//	                               └──abandon, lock expired: count+1────────────────┘ │
//	active, count = max, or expired with the flag, or rejected ──→ dead-letter queue  ├──defer──→ deferred
//	expired without the flag ──→ gone                    deferred ──by number──→ deferred, locked
//	deferred, expired with the flag ──→ dead-letter queue, without it ──→ gone
//
// Choices where Service Bus documents nothing: copies in subscriptions and dead-letter queues have numbers of their own
// and carry the old one as x-opt-enqueue-sequence-number; deferring does not count as a failed delivery; a deferred
// message expires like others; a life counts anew where a message is forwarded to; session state belongs to the session's owner; a link whose session lock has expired is
// detached with com.microsoft:session-lock-lost; cancelling an unknown schedule is a 404; deferred messages count as
// active in the administration interface; an entity's AccessedAt is zero after a restart. A rule that can never
// work is refused when it is made; one whose SQL cannot be
// evaluated for a message, or whose action cannot be applied to it, does not take it, unless the subscription dead-letters
// such messages (FilterEvaluationException). The copies of several rules stand in the order of the rules. What package
// sqlfilter had to choose stands there. What cannot be forwarded waits in the transfer dead-letter queue (TransferFailed), but for the fifth hop, which is
// dead-lettered. A dead letter whose target does not take it now stays, and goes when it can; one that can never go (the hops,
// a session that it has not, its size) waits in the transfer dead-letter queue with the reason that it has. What is deferred in
// an entity that forwards stays there, and a receiver is let in that asks for it by number. A message with properties of more than 64 KB is accepted and dead-lettered
// (HeaderSizeExceeded).
//
// Where is what; an arrow is an import, and none goes back:
//
//	minibus ──→ door        one port: AMQP or HTTP, each also over TLS
//	        ──→ amqpserver  AMQP 1.0, the server's side (amqpwire: its encoding)
//	        ──→ node        what clients attach to: entities, $management, $cbs ──→ broker, sas
//	        ──→ admin       the administration REST interface ──→ broker, sas, websocket
//	broker  ──→ atom        the documents of that interface, in which the store keeps what clients have changed
//	        ──→ topology    the configuration, and what an entity is ──→ rules ──→ content, sqlfilter; ──→ sas
//	        ──→ content     what a client has sent
//	        ──→ journal     what is on disk
//	        ──→ clock       time that tests can skip, and alarms
//	        ──→ fault       what goes wrong on purpose
//
// Package broker, in internal like all but amqpserver, amqpwire and sqlfilter, is the heart: entities, their messages,
// sessions and locks. Here is what a program sees of it: Options and Open, RunT for tests, Peek, Counts and Snapshot.
//
// Lock order: an amqpserver connection's lock, the broker's (Broker.mu), then the journal's or the faults' lock.
package minibus
