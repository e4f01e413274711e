// Package inbox gives events exactly one effect at the consumer, whatever number of
// copies arrives, in whatever order, on however many instances.
//
// It promises, for every key:
//
//   - an event is applied once: its receipt and the change of the read model are one
//     atomic batch;
//   - old news changes nothing: an event whose number is not above the model's LastSeq
//     succeeds without effect, for ever, receipt or no receipt;
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
//	receipt exists ─────────────────────────────→ Duplicate  (success)
//	an incarnation before the model's ──────────→ Superseded (success, and loud)
//	a later incarnation ─→ followed, loudly: its numbers begin at Incarnation.First
//	Seq ≤ LastSeq ──────────────────────────────→ Stale      (success)
//	Seq = LastSeq + 1, or the model is empty ───→ Applied
//	Seq > LastSeq + 1: a gap, by policy
//	    Strict ─→ held until it closes; *GapError after Hold, so the broker
//	              delivers again, and dead-letters if it never closes
//	    Snapshot → Applied, and the gap is counted
//
// The first event of an empty model is always accepted, so that a new subscriber can
// start in mid-stream.
//
// # Incarnations
//
// A writer whose container was made anew numbers from 1 again; one whose container was
// restored from a backup gives out numbers a second time. Their events say so: they carry
// an incarnation, and the time stamp of its container. The model follows the later one.
// What was under way in the earlier one may be missing then, the one exception to "an
// event is applied once", and both the change and each late event are told to the Observer.
package inbox
