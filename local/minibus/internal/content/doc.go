// Package content is what a client has sent, cut up once.
//
// What it promises: a [Content] never changes, so that copies of a message share it, and what changes a message gives it
// another one. Sections that the broker does not own keep their bytes. What Service Bus refuses about a message alone is
// refused here, with the AMQP error for the client; it knows no entities.
package content
