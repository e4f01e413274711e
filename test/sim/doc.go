// Package sim runs the whole app in fake time and breaks it, by seed.
//
// A run is a bubble of testing/synctest with two or three instances of the app, each a host and its handler, the
// store, the broker and some clients: the production code under the production SDKs, over a network in memory. The
// seed draws what the clients ask for and what goes wrong: processes die at a write, freeze
// longer than every timeout, are cut off; answers are lost after the commit; the store
// throttles, lags, splits; the broker loses locks, sessions and its power, delivers twice, and
// hears of old events once more; timers are early, twice or never; clocks differ; messages
// come that nobody can read.
//
// When the faults are over everything must arrive within drainTime. Then the guarantees of
// the design are looked at, by their numbers:
//
//	G0  the answers to the clients fit one order (package history)
//	G1  every committed event is at the topic, and the read model is where the entity is
//	G2  every event belongs to a call that may have made it; no number has two
//	G3  the first copies of an entity's events stand in order at the topic, without a gap
//	G4  every event had its effect once
//	G6  nothing is parked, and no good event is among the dead letters
//	G7  what waits to be sent does not expire
//
// What it does not promise: that a seed gives the same run to the nanosecond (docs/decisions.md),
// and what is not in a process: sockets, disks, the operating system. relaybox chaos has those.
package sim
