// Package replay brings a subscriber up to date that comes late: it has a snapshot of every
// entity of a kind sent, through the outbox as any event, beside live traffic.
//
// It promises, for a subscription that was there before the run began, and every entity of the
// kind:
//
//   - complete: what the entity is, or that it is gone, reaches the subscription, as a snapshot of the
//     run or, where the entity was made meanwhile, as that event of its own;
//   - in order: a snapshot has the next number of the entity, so what comes behind it is newer, and
//     what comes late and has a lower number is older;
//   - unharmed: no client sees a difference. Version, entity tag, content, deletion and time of the
//     entity stay; only the numbers of its events go on;
//   - once: a run that is killed and goes on writes no second snapshot of an entity, unless a
//     replay for another subscription has come between.
//
// An entity that is made during the run needs no snapshot, and may get none: its first event is
// sent after the subscription was there, and has the whole state. A tombstone
// has a snapshot as any entity has: a subscription may have missed the deletion, and nothing else
// would tell it again. An empty one has none, since nothing ever was in its place.
//
// # A run
//
//	(nothing) ──begin──→ going on, page by page ──the last page──→ done
//	                        ↑      │ killed, interrupted, failed
//	                        └──────┘ the same again: from the last page that was kept
//
// A page is kept as done when all its entities have theirs, so what a kill leaves is told of a
// second time. Each entity remembers the run that has told of it last, in the batch that
// stores its snapshot: the page is read again, and those that have theirs are left alone.
// Where a run stands is one document, replaced under its revision with the name of the process in
// it: of two processes that work on one run the later goes on, and the other ends.
//
// An entity whose snapshot can never be sent is named, counted as failed and passed over; the run is
// done without it. Only where the first hundred fail, and none succeeds, does the run end: that is a
// setting's fault or the store's, and the same again begins at the first one.
//
// # Beside live traffic
//
// A run writes so many entities a second and no more, waits for as long as the store asks for
// patience, and lets the dispatchers catch up when more events are pending than it is told to bear.
package replay
