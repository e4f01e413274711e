// Package journal keeps what the broker must not forget. It knows keys and values, and nothing of what they mean.
//
// What it promises: what [Journal.Sync] has returned for survives kill -9 and a crash of the machine. Batches hold whole
// operations, each written whole or not at all and in order: changes are collected under the owner's lock, and whoever
// needs one to be durable commits all that others have made meanwhile in one synced write. The first failure is final:
// every later Sync returns it. Without a directory everything is durable at once and nothing can be read.
//
// Its owner has one lock (the broker's): Set, Delete, DeleteAll and Take are called with it held. Lock order: the owner's
// lock, then Journal.mu; Sync takes the owner's lock through its callbacks while it does not hold its own.
package journal
