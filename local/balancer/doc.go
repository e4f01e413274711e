// Package balancer spreads requests over the instances of an app, as the platform's front end
// does: a reverse proxy over HTTP/1.1.
//
// It promises that
//
//   - an instance gets requests only after it has answered its health path with 2xx, and none
//     after it did not, refused a connection, or was removed;
//   - the instances that get requests get them in turn;
//   - a request that changes something reaches at most one instance. It goes to the next one if nothing of it was sent:
//     the connection was refused, or broke before the first byte. Whatever else may have been
//     carried out, and is answered with 502 or 504: the client knows whether to repeat it, and
//     under which Idempotency-Key;
//   - answers are passed on as they come, and a client that goes takes its request along.
//
// It does not promise that a request is not carried out twice when the client repeats it: that is
// the app's promise. Bodies are held in memory until they are sent, so they have a limit.
//
// # An instance
//
//	         2xx
//	new ────────────→ up ──(no answer, not 2xx, refused)──→ down
//	                  ↑                                       │
//	                  └─────────────── 2xx ───────────────────┘
//	any ──Remove──→ no new requests ──(the last one is answered)──→ gone
//
// # Locks
//
// Proxy.mu guards the list and every instance's state; nothing is waited for under it.
package balancer
