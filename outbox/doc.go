// Package outbox keeps a promise that two systems cannot keep by themselves: a
// change that was committed to the store leads to its events at the broker, each
// at least once, in order per key, however often a process dies in between.
//
// It promises, for every key:
//
//   - no loss: a committed event stays in the store until the broker has taken it;
//   - no phantom: an event is stored in the batch that stores its change, or not at all;
//   - order: event n reaches the broker before the first copy of event n+1;
//   - isolation: a message that can never be sent stops its own key and no other;
//   - relief: while any instance runs, events of a writer that died or can't reach the
//     broker are taken over within 3 s (LookEvery 1 s);
//   - truth: what Write answers was so, at one moment between the call and the return. An
//     answer that changes nothing is a commit, too: it replaces the entity with its own
//     content. So it does not matter how old the read was that it was decided on.
//
// It does not promise that the broker gets an event once. Copies carry the same id;
// the broker's duplicate detection and package inbox drop them.
//
// # States of a request
//
//	        fits into the batch       sent              committed
//	queued ────────────────────→ decided ──→ on its way ──────────→ answered
//	  ↑                                       │       │
//	  │  conflict: another was faster         │       │ the answer was lost
//	  ├───────────────────────────────────────┘       ↓
//	  │  not stored, and kept out                 in doubt ──→ stored: answered
//	  └───────────────────────────────────────────────┴──→ nobody can tell: Ambiguous
//
// A lane, the requests of one process for one key, begins with a bet where it can: the entity
// as the process has read or committed it last (CacheBytes). It may be old, and the commit
// under its revision says so: then the entity is read, and all of it is decided anew. What is
// answered without a commit never rests on a bet.
//
// Requests of one process for one key share a batch: the entity, replaced under its revision,
// their events and their receipts. While it is on its way those behind it wait and are then
// decided together on its outcome. A caller that leaves before its batch is sent is told so and
// nothing of it is stored; later, it is in doubt.
//
// A batch whose answer was lost may have been stored, or may still be on its way. It is not
// followed by another before its fate is known, ten seconds have passed, or nobody waits
// for it any more. What tells is its id, in the entity or in a receipt; what keeps it out is
// that the revision it was made against is replaced, by itself if by nobody else. A refusal of its repetition tells nothing: that may be its own doing.
//
// # States of an event
//
//	            commit                 broker has it            settle
//	(nothing) ─────────→ pending ────────────────────→ pending ────────→ (deleted)
//	                        │                                               ↑
//	                        │ refused, while others get through             │ got through, settled
//	                        ▼                                               │
//	                     parked: blocks its key ────────────────────────────┘
//	                        │            ↑ tried again after 1 min, 2 min, … 1 h; refused: stays
//	                        │ by option
//	                        ▼
//	                     skipped: its key goes on; it is never sent, and stays visible
//
// A parked event is tried in its turn, before its followers. One that is skipped says so in
// its document before a follower is sent, so that no instance sends it after them.
//
// An operator (Operator, over the port Desk) puts a parked event back, where it is in its place before its
// followers as ever, or has it skipped for good: a marker takes its place, pending, and goes out under its number as
// any event does, so that consumers need not wait for what does not come. Both are conditional on
// the revision, so that of an operator and a dispatcher, or two operators, one is first and the
// other changes nothing.
//
// An operator also pauses what is sent (Halt): everything, a kind, or a key. Dispatchers leave it
// alone within three seconds, and its events wait where they are.
//
// # Why no lease is needed
//
// Order is defined by the write: the batch that replaces the entity under its
// revision numbers the events, so numbers are contiguous and unique. A dispatcher
// reads a gap-free prefix of one key, sends it in order, stops at the first failure
// and deletes only what the broker acknowledged. Take any number of dispatchers on
// one key. Each sends n before n+1, so the first copy of n at the broker precedes
// the first copy of n+1, whoever sent it. A second copy of n may come late, after
// n+1, from a dispatcher that was frozen between read and send: it carries the id of
// the first copy and the broker drops it inside its window; after the window the
// consumer drops it, because it remembers the number it has reached. Deletes are
// idempotent, and parking is conditional on the event being pending at the revision
// that was read. So whatever a late dispatcher does, it changes nothing any more.
//
// Events of its own commits a process sends without a query, from memory, where it knows that
// nothing stands before them: number 1, or one whose predecessor it has settled itself. That
// is a dispatcher that has read the event at the moment of its commit. It is one for five
// seconds at most, and for one where parked events are skipped: then the event is looked up.
//
// # Keys and incarnations
//
// A key is a kind and an id (Key): two kinds never share an entity, whatever their ids
// are. The session at the broker follows from the key (Session), the CloudEvents source
// and subject from its parts.
//
// Numbers are unique as long as the container is. One that was made anew numbers from 1,
// one that was restored from a backup gives out numbers a second time, and both would
// have their events dropped as copies of old ones. So an entity has an Incarnation, which
// its first write in a container draws: the ids of its events depend on it, and every
// event says which it belongs to and how old its container is, by the store's own stamp.
// Consumers follow the later one (package inbox). What was committed to a container that is
// gone and had not left it yet is gone with it: no promise above is about that.
//
// # Errors cost attempts only when they are about the message
//
// Throttling, outage, timeout and lost authorisation say nothing about the message.
// They pause the destination, for all keys, with a backoff, and go on by themselves.
//
// A refusal (TooLarge, Rejected) may be about the message, or about a destination that
// refuses everything; the answer looks the same. What tells them apart is what becomes of
// others, so nothing is parked without proof:
//
//   - The first refusal counts, and has the key wait for itself: 500 ms, doubling to 15 s.
//   - Another one counts only if a send of something else began and succeeded since the one
//     before: the destination took it, and then refused this event once more. After Policy's
//     limit of those, two at least, the event is parked.
//   - Three keys that are refused with the same condition, while nothing gets through, are an
//     outage: the destination is paused and nobody's refusals count. One key at a time that
//     was not refused yet may still try: if it is the messages after all, those that are in
//     order don't wait.
//   - Where one key alone has work and is refused, nothing proves anything: it stays pending,
//     is tried every 15 s at most, and shows as the oldest pending event.
//
// What a process knows of refusals dies with it; the next one begins to count anew.
//
// # Sweeps
//
// A sweep drains many more keys at once than may be at the store at once: most of them have
// read their page and wait for a send that is worth it. It begins when 256 events or 1 MB are
// together, when all that there are wait, or after a tenth of a second. What drains hold is bounded by bytes.
// After a failure one key tries alone, a page of it, before all come again.
//
// # Orphans
//
// Every fast path looks for events older than a second, about once a second, at moments
// of its own, and drains what it finds unless it is at work on that already. It rests while
// its own gate is shut, because it could send nothing: others see what it leaves behind. Of
// a backlog it drains 256 keys itself, as a sweep does, unless the process is at one. So
// an event waits for at most 1 s (its age), 1.25 s (the next look) and its own drain.
package outbox
