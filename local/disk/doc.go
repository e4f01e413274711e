// Package disk is where the stand-ins keep what they were told: a Pebble store on a disk that may be full, or damaged.
//
// It promises:
//   - a full disk ends nothing. Room says so before a write is taken, with the folder and the remedy; what was taken already
//     waits for room, and goes on by itself when there is some;
//   - a store that has less than was acknowledged is not opened without a word: DamageError says what is gone. Beside the
//     tables and logs lies a mark of what was acknowledged, written after each commit. It is not synced: it outlives the
//     process, and after a loss of power it may be older than the store, never newer;
//   - a store that cannot go on (the disk fails) refuses writes from then on and leaves the process alive: what was
//     acknowledged can be read.
package disk
