// Package bus feeds Service Bus functions with messages.
//
// It promises that a message is completed only after its delivery succeeded and
// abandoned after anything else, and that no two messages of a session are in flight
// at once while its lock is held. A broker that is away loses nothing: the listener
// asks again until it is back. What a delivery is, the bytes for the handler and its
// judgement, is the caller's affair.
//
// Locks are renewed as by the real host: a message's for maxAutoLockRenewalDuration
// from its receipt, a session's from its acceptance. A call that outlives that goes
// on, and its message comes again beside it.
//
// Locks: Listener.mu is a leaf.
package bus
