// Package inbox gives events exactly one effect at the consumer, whatever number of
// copies arrives, in whatever order, on however many instances. The numbers order them, not
// the broker: it needs no sessions.
//
// It promises, for every key:
//
//   - an event is applied once, and in the order of the numbers: one write replaces the read
//     model, with the number in it, under the revision that it was read at;
//   - old news changes nothing: an event whose number is not above the model's LastSeq
//     succeeds without effect, for ever;
//   - an event that comes before its predecessor keeps no call and no message: after a
//     moment in memory it is stored beside the model, and whoever applies the predecessor
//     finds it there;
//   - an outage of the store uses up deliveries slowly: transient faults are retried inside
//     the invocation until Options.Hold ends, one delivery each. An outage is borne that is
//     shorter than Hold times the broker's limit of deliveries, less one delivery for each
//     death of the consumer and each lock that is lost on the way.
//
// Only what can never be applied uses its deliveries up fast, and no faster than GiveBack
// lets it.
//
// It does not promise that an apply function runs once: a commit that lost a race, or
// whose answer was lost, runs it again. It must be pure.
//
// # An event that arrives
//
//	an incarnation before the model's ──────────→ Superseded (success, and loud)
//	Seq ≤ LastSeq ──────────────────────────────→ Duplicate  (success)
//	… and it was given up ──────────────────────→ Stale      (success, and loud)
//	Seq = LastSeq + 1 ──────────────────────────→ Applied, with the early ones behind it
//	Seq > LastSeq + 1 ─→ waits in memory, at most Options.Wait
//	    its predecessor comes ──────────────────→ Applied
//	    it does not ────────────────────────────→ Stored beside the model (success)
//
// Events of a key that are in hand at the same time queue by number, and those that follow
// each other go out as one write. A model that was written or read here last is not read
// again, and for event 1 of a key that nothing is known of there is none, most likely: the
// revision makes such a bet harmless. An answer without a write rests on a read.
//
// # Early events
//
// The write that stores an event as early enters its number in the model, under the model's
// revision. So whoever applies its predecessor sees the number, and applies and deletes the
// event in the same batch, and no event is lost between the two. Sweep ends the wait of
// those whose predecessor does not come for longer than Options.EarlyWait, the lowest first:
//
//	Snapshot → applied, and the gap is counted. What comes for it later is Stale
//	Strict   → waits on, loudly, until the predecessor comes
//
// Time in which nothing could come does not count: a sweep asks whether the broker can be reached
// (Options.Reach), and ends no wait before broker and store have been there for a third of it.
//
// An early event that cannot be applied is kept where it is with the reason, because its
// message is gone, and its key goes on without it after the same wait; under Strict it blocks
// its key, as loudly.
//
// An event that was refused on its last delivery is not waited for under Snapshot: GiveUp notes its
// number in the model, if the key has one, and those behind it go on over it at once. It is a help
// only, and loses nothing: until one of those is applied, the event can still come, from the dead
// letters.
//
// An event that is never sent, because an operator has skipped it, is followed by nobody for
// long either: a marker of SkippedType comes under its number, counts, and changes no data. Apply
// does not hear of it.
//
// A source that knows no incarnations does not say where its numbers begin: the first event
// that comes is the first one.
//
// # A subscription whose rule leaves out events
//
// A gap in the numbers is nothing to wait for there. Under Newest, whatever is above the model's
// LastSeq is applied at once, and what is not is a Duplicate; nothing is stored as early, no gap is
// counted or told, and Sweep has nothing to do. A marker changes nothing, not even LastSeq.
//
// It is right for a function that makes its model of the state in an event, whatever came before.
// It does not promise that each event is applied: one that a later one has overtaken has no effect
// of its own, and nobody is told, because it cannot be told from a copy. Nor that the model is as
// new as the entity: only as new as the last event that the rule has let through. Events
// that are skipped, or were under way when the writer's container was restored, may be missing
// like any other, a deletion too; a replay mends it, for each entity of which the writer's container
// still has its state or its tombstone.
//
// # Incarnations
//
// A writer whose container was made anew numbers from 1 again; one whose container was
// restored from a backup gives out numbers a second time. Their events say so: they carry
// an incarnation, and the time stamp of its container. The model follows the later one.
// What was under way in the earlier one may be missing then, the one exception to "an
// event is applied once", and both the change and each late event are told to the Observer.
package inbox
