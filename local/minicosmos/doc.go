// Package minicosmos is a stand-in for Azure Cosmos DB for NoSQL: its REST surface, as
// the unmodified azcosmos SDK uses it, over an embedded durable store.
//
// # What it promises
//
//   - A write that was acknowledged survives kill -9 of the process (Options.Dir), and
//     nothing is shown to anybody before it is durable.
//
//   - A transactional batch is stored whole or not at all, and appears at once.
//
//   - If-Match lets exactly one of several concurrent writers through.
//
//   - Changes of one physical range become visible in the order of their LSN.
//
//   - Queries have the language's semantics (package sql); what the service's gateway
//     refuses to serve across partitions is refused with its text. The index that the policy asks for only leaves out
//     documents: answers, their order and continuations are those of a scan.
//
//   - Requests are authenticated with the master key; hostile ones get an error in the
//     service's shape and cannot hold more than a bounded amount of memory.
//
//   - The change feed has each document at its last change, in the order of LSNs, and
//     no page ends inside a transaction; a split loses and repeats nothing.
//
//   - On demand it is as weak as the cloud may be (see Fault): lagging replicas, throttling,
//     dropped answers, splits.
//
// # What it does not promise
//
// Regions, the service's exact charges (see internal/wire/charge.go for the model), the feed of all
// versions and deletes, merges, stored procedures, triggers, user-defined functions,
// resource tokens, indexes of vectors or text.
//
// # How a write becomes visible
//
//	request ──lock of its partition key──→ read, check, stage
//	staged ──Store.Commit: LSN and place in the open group──→ waiting
//	waiting ──one synced write for the whole group (group commit)──→ durable
//	durable ──new view──→ visible ──→ acknowledged, lock released
//
// Readers only ever see a view, so they never see what a crash could take back.
//
// # Locks, in this order
//
//	catalog.mu (names) → Container.gate (held shared by writers, exclusively by what
//	changes, drops or indexes a container) → one stripe of Container.locks (partition key) →
//	Container.forms.mu (while a form is added) → Store.mu (the open group; never held across I/O)
//
// # Where is what
//
// This package listens, and has what Go code switches and reads (Server). The rest lies below it; each room knows those
// under it and none above:
//
//	internal/rest      each request answered, under its faults
//	internal/fault     what can go wrong, and when it does
//	internal/wire      requests taken apart and let in, answers put together, their charges
//	internal/query     what a query or the change feed reads
//	internal/account   databases, containers, throughputs; transactions, splits, expiry, the check
//	internal/layout    physical ranges and session tokens
//	internal/index     what an index has of a document, and which entries answer a filter
//	internal/document  a stored document, what points at it, its patch
//	internal/store     group commits and views
//	internal/refusal   the service's refusals
//	internal/hybridrow the binary rows of .NET's batches
//	partition          partition keys and their hashes
//	sql                the query language over JSON values
//
// minicosmos knows nothing of what its users keep in it.
package minicosmos
