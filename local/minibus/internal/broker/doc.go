// Package broker is the state of all entities and what becomes of the messages in them: the heart, which the other rooms
// serve. What it promises is what package minibus promises; its state machine of a message stands there.
//
// It knows nothing of tokens, connections and HTTP. Package node brings what AMQP clients want, package admin what
// administrators want; both come with a claim checked. Where it has to answer an AMQP client later, it holds on to
// amqpserver's links.
//
// Where is what:
//   - an entity and the way of a message through it: entity.go, with locks (lock.go, held.go), sessions (session.go,
//     sessionstate.go), rules (changerules.go), duplicate detection (history.go), and messages by number (number.go)
//   - what a message is: message.go, and in what order it is found: backlog.go
//   - who receives: attach.go, consumer.go; what goes wrong on purpose: faults.go; who may use an entity: status.go
//   - how entities come, change and go: build.go from a configuration, change.go while the broker runs, times.go
//   - how all that outlives the process: store.go, record.go, storechange.go; restore.go, load.go and resume.go at a start;
//     and warm.go, what of it stays in memory
//   - what others see: shown.go for the administration interface, inspect.go for tests
//
// One lock, Broker.mu, guards it all. Lock order: an amqpserver connection's lock, Broker.mu, then the journal's or the
// faults' lock. Methods that are called with Broker.mu held say so; a caller who does several things at once takes it with
// [Broker.Lock], and [Entity.Manage] takes it for a request. Nobody is told of a change before [Broker.Durable] has
// returned for its position.
package broker
