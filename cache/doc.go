// Package cache answers reads that say how old their answer may be, without asking the store.
//
// It promises that nobody is shown an entity that is older than they have allowed, that a newer
// version is never replaced by an older one, whoever comes last, and that many who miss the same
// key at once cost one read. It promises no answer: a cache that is empty, slow or gone costs the
// time of a read, and while it does not work it is left alone.
//
// How old an answer is counts from the moment when the read of the store that it comes from began.
// Instances that share a cache compare their own clocks with it, so it is as exact as these agree.
// A read may come from a replica that lags, as it does without a cache: age says nothing about that.
//
// What is kept is for reading only. It has no revision, so no write can be made against it.
package cache
