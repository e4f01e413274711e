package compat_test

// sparedJS is of @azure/service-bus, which settles over $management what has lost its link, and tells the handler of errors that a
// subscription's connection has gone.
var sparedJS = spare{
	locks: []string{
		"Listen is not Send",
		"true counts",
		"an empty queue answers [] in time, and the link stays open",
		"an iterator receives one by one",
		"no more than asked for, in order",
		"peek in a dead-letter queue",
		"peek shows messages in every state and changes nothing",
		"scheduledEnqueueTimeUtc of a plain send",
		"duplicates are dropped within the window",
		"a deferred message that is abandoned stays deferred",
		"a lock that has expired",
		"a lock that is renewed",
		"a second client settles nothing that it has not received",
		"abandon counts, and keeps what was noted",
		"abandon goes back to its place",
		"dead-letter with reason, description and properties",
		"dead-letter without a reason",
		"defer: only its number brings it back",
		"deferred messages with receiveAndDelete",
		"many settlements at once",
		"settling after the receiver was closed",
		"the last allowed abandon dead-letters",
		"the dead-letter queue of a subscription",
	},
	sessions: []string{
		"scheduling in a session",
		"a session has one owner",
		"a session lock that has expired",
		"a session that is closed gives its messages back, uncounted",
		"acceptNextSession: each gets another one",
		"acceptNextSession: the one that has messages",
		"acceptNextSession: waits for a session",
		"acceptSession: only its messages, in order",
		"an empty session answers [] in time, and the link stays open",
		"order is kept when a message is abandoned",
		"peek sees the session alone",
		"receiveAndDelete in a session",
		"renewSessionLock",
		"sessions of a subscription",
		"settling in a session",
		"state: set, get, clear, survives the receiver",
		"each subscription has a copy of its own",
	},
	clock: []string{
		"cancelScheduledMessages",
		"time to live: a message that has expired is not received",
	},
	ways: []string{
		"a handler that throws abandons, until the message is dead-lettered",
		"complete removes, once",
		"subscribe without autoCompleteMessages leaves settling to the handler",
	},
}

// sparedRhea is of rhea, which connects and attaches again by hand.
var sparedRhea = spare{
	links: []string{
		"send, receive, accept",
		"outcomes: released, modified, rejected",
		"a range of deliveries in one disposition",
		"a lock that is lost",
		"amqp-value of every type",
		"application properties of every simple type",
		"a list, a map and a sequence of everything",
		"bodies of several sections, of none, and footers",
		"nesting",
	},
	locks: []string{
		"no more than the credit",
		"drain: what is there comes, the rest of the credit is given back",
	},
}

// sparedProton is of Proton, which does too. A message that is settled at once is settled with the next call.
var sparedProton = spare{
	links: []string{
		"send, receive, accept",
		"outcomes: released, modified, rejected",
		"settled at once",
	},
}
