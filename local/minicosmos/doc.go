// Package minicosmos is a stand-in for Azure Cosmos DB for NoSQL: its REST surface, as
// the unmodified azcosmos SDK uses it, over an embedded durable store.
//
// # What it promises
//
//   - A write that was acknowledged survives kill -9 of the process (Options.Dir), and
//     nothing is shown to anybody before it is durable.
//   - A transactional batch is stored whole or not at all, and appears at once.
//   - If-Match lets exactly one of several concurrent writers through.
//   - Changes of one physical range become visible in the order of their LSN.
//   - Queries have the language's semantics (package sql); what the service's gateway
//     refuses to serve across partitions is refused with its text.
//   - Requests are authenticated with the master key; hostile ones get an error in the
//     service's shape and cannot hold more than a bounded amount of memory.
//
// # What it does not promise
//
// Replicas, regions, consistency levels weaker than strong, throughput limits (nothing
// is throttled), the service's exact charges (see charge.go for the model), the change
// feed, stored procedures, triggers, user-defined functions, offers, AAD tokens.
//
// # How a write becomes visible
//
//	request ──lock of its partition key──→ read, check, stage
//	staged ──store.commit: LSN and place in the open group──→ waiting
//	waiting ──one synced write for the whole group (group commit)──→ durable
//	durable ──new view──→ visible ──→ acknowledged, lock released
//
// Readers only ever see a view, so they never see what a crash could take back.
//
// # Locks, in this order
//
//	catalog.mu (names) → container.gate (held shared by writers, exclusively by what
//	changes or drops a container) → one stripe of container.locks (partition key) →
//	store.mu (the open group; never held across I/O)
//
// minicosmos knows nothing of what its users keep in it.
package minicosmos
