// Package amqpwire is the AMQP 1.0 wire format: frames, performatives, values and message sections.
//
// What it promises:
//   - Decoding never panics, never reads past its input and never allocates more than a small multiple of it, whatever
//     the bytes. Nesting is bounded (maxDepth) and so is the number of values (see [Reader]).
//   - A message is cut into its sections without being rebuilt: what the broker does not own is passed on byte for byte
//     ([Split]), so no type is lost on the way, not even those that this package has no Go name for.
//   - Every performative is one table of fields in the order of the specification, read in both directions (see coder).
//
// What it does not promise: it checks form, not meaning. That a handle is attached or a state allowed is the
// server's business. Encoders trust their caller.
//
// Section numbers in comments are those of the OASIS AMQP 1.0 standard (part.section).
package amqpwire
