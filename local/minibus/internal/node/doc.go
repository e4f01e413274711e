// Package node is what AMQP clients attach to: queues, topics and subscriptions, the $management node of each, and $cbs.
// It is amqpserver's [amqpserver.Backend] and speaks for the broker behind it.
//
// What it promises: no link is opened, and no request done, without a token that grants the claim it needs. Requests and
// answers are spelled as the clients of all languages spell and expect them. What they do to messages is the broker's.
//
// A peer is one connection, of which amqpserver calls come one at a time: the peer's own fields need no lock. A request to
// $management is done within [broker.Entity.Manage], with the broker's lock held.
package node
