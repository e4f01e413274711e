// Package bus feeds Service Bus functions with messages.
//
// It promises that a message is completed only after its delivery succeeded and
// abandoned after anything else, that no two messages of a session are in flight
// at once, and that locks are renewed while a call runs. A broker that is away
// loses nothing: the listener asks again until it is back. What a delivery is, the
// bytes for the handler and its judgement, is the caller's affair.
//
// Locks: Listener.mu is a leaf.
package bus
