// Package history judges what the clients of one kind of entity were told: whether all
// answers about an entity fit one order of the calls, in which every call stands between its
// start and its end (linearizability, G0).
//
// It promises that a history which no order explains is Broken, and that one which some
// order explains is Fine. Between the two stands Undecided: the search is exponential in the
// worst case and has a time limit. It knows nothing of the app's code; what the requests of
// the API make of an entity is written anew here:
//
//	           PUT                     PUT, PATCH: version + 1, or nothing if it is equal
//	missing ───────────→ version 1 ─┐ ──────────────────────────────────────────────────┐
//	   ↑                     ↑      └───────────────────────────────────────────────────┘
//	   │ DELETE: version + 1 │ PUT: version + 1
//	   └───── tombstone ─────┘
//
// Under an Idempotency-Key the first answer is the answer of all repetitions, refusals (404,
// 412) included; another request under the key is told 422.
//
// # Calls without an answer
//
// A call whose answer was lost is Open: it may take effect at any moment after its start, or
// never. What the world has seen of it since can be noted as its Effect, which makes the
// search short. A call that was told that nothing was stored must have had no effect; it
// takes no part in the order. Calls under one Idempotency-Key whose effects were noted are
// judged as one call (join.go). Of equal calls without answer and effect only one order is
// tried, that of their starts: they can change places.
//
// Reads without Cache-Control: no-cache are session reads, which may be old. They take no
// part in the order either: they must not show what nobody has written.
package history
