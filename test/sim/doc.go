// Package sim runs the whole app in fake time and breaks it, by seed.
//
// A run is a bubble of testing/synctest with two or three instances of the app, each a host and its handler, the
// store, the broker and some clients: the production code under the production SDKs, over a network in memory. The
// seed draws what the clients ask for, of profiles and of orders with the same ids, and what
// goes wrong: processes die at a write or a read, freeze
// longer than every timeout, are cut off; answers are lost after the commit; the store
// throttles, lags, splits, loses its power; the broker loses locks, sessions and its power,
// delivers twice, and
// hears of old events once more; timers are early, twice or never; clocks differ; messages
// come that nobody can read, and events are stored that nobody can send; the entities' container
// is made anew or restored. In a third of the seeds every other instance is of a newer
// version, with a member, an event and a detail that the others do not know. In a fifth the
// consumer takes sessions.
//
// When the faults are over everything must arrive within drainTime. Then the guarantees of
// the design are looked at, by their numbers:
//
//	G0  the answers to the clients fit one order (package history), in which an older version
//	    keeps what it does not know
//	G1  every committed event is at the topic, and the read model is where the entity is
//	G2  every event belongs to a call that may have made it, of the entity whose number it
//	    has; no number has two
//	G3  the first copies of an entity's events stand in order at the topic, without a gap
//	G4  every event had its effect once
//	G5  what the broker refuses is parked after its attempts, a sweep tells of it, its key waits
//	    behind it, and the events of other keys are at the topic in 5 s meanwhile
//	G6  nothing else is parked, and no good event is among the dead letters
//	G7  what waits to be sent does not expire
//
// A container that is replaced ends one life of its entities and begins another: G0, G2 and
// G3 are looked at in each, and what was still under way in the first is the exception to G1
// and G4. It is counted: Report.Taken, Report.Lost.
//
// What it does not promise: that a seed gives the same run to the nanosecond (docs/decisions.md),
// and what is not in a process: sockets, disks, the operating system. relaybox chaos has those.
package sim
