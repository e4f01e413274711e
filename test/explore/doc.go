// Package explore runs the production code of outbox and inbox through the orders of events
// that a small case allows, and looks for one that breaks a promise of theirs.
//
// It promises that within a case's bounds nothing is left out, up to the number of states that
// it is given: paths with the fewest faults come first, and it counts those that it has left.
// It does not promise anything about larger cases,
// nor about what happens between two calls of a port: processes share nothing else, so
// nothing there can be seen by another one.
//
// # How
//
// A process is production code in goroutines of a synctest bubble. Whatever it asks of the
// world is a port (outbox.Store, outbox.Queue, outbox.Publisher, inbox.Store, pace.Sleep),
// and every call of one stops until the explorer lets it go on. When all goroutines stand
// still, the explorer knows everything that can be next: one waiting call is carried out,
// or meets a fault that the case still allows, or the process dies, or a request that
// nobody waits for any longer arrives after all. It takes one, and the others are put aside
// as paths of their own. A path is run by repeating its choices from the start, since a
// process cannot be copied.
//
// A process that is frozen needs no fault: it is one that is not chosen for long.
//
// # States
//
// What a process does next follows from what it was told, so two paths have come to one
// state when every process was told the same in the same order, and store, broker, read
// models, requests that are still under way and faults that are still allowed are equal.
// A state is gone on from once. Times and jitter are in no state: a sleep lasts until the
// next whole second of the bubble's clock at least, which is later than any backoff of so
// few failures ends, and budgets are an hour. Ids that are drawn at random are called by
// who drew them.
//
// Paths with fewer faults come first, then those with fewer changes from one process to
// another, so that the first breach found is a short one.
//
// # Faults
//
// See the constants of type Fault. A read that shows an old state shows one that the
// partition really had, whole. What is older than a barrier of its process allows is never
// shown, nor to a writer what is older than what it was shown last: its reads are a session's.
// A request whose answer was lost is carried out at any later moment, or never.
//
// # Judging
//
// At every step: what the broker, the store and the read model must never do (Bus.take,
// Settle, Park, Views.check). When nothing can happen any more, a healthy sweep and a healthy
// consumer finish, nothing may be missing, and one order of all calls must explain all
// answers and what is stored (honest). That "not stored" is true later, too, follows from
// late arrivals: each is tried at every moment.
package explore
