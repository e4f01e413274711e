// Package cosmos keeps the outbox's and the inbox's documents in Azure Cosmos DB for
// NoSQL. It implements outbox.Store, outbox.Queue, outbox.Desk, replay.Store and inbox.Store.
//
// It promises:
//
//   - a Commit or Apply is one transactional batch: all of it is stored or nothing;
//   - an error tells what happened: a class other than Ambiguous means that nothing was
//     stored, and Ambiguous that nobody knows;
//   - only what is safe is repeated: reads, deletes, conditional patches, and whatever
//     the service says it did not carry out (429, 449, 410, 503, no connection);
//   - an instance reads its own writes, because the newest session token of each
//     partition-key range goes out with every read and query.
//
// It does not promise to see the writes of other instances at once: a lagging replica
// may show an older state, and the protocol above bears that.
//
// # The life of a client
//
//	Open ──first call──→ connecting ──account read──→ ready (for good)
//	                       ↑     │ failed
//	                       └─────┘ after a backoff, with a fresh SDK client
//
// azcosmos answers every call from a cached error for five minutes when its first
// account read fails, so a client that never became ready is thrown away. Once it is
// ready it stays: the SDK bears later outages by itself.
package cosmos
