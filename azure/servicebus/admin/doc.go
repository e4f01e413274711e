// Package admin reads what a Service Bus namespace says about its entities: the facts
// that relaybox doctor holds against what the protocol needs.
//
// It promises to change nothing: it only reads, over the administration interface and, to
// see that events can be sent, by attaching a sender that sends nothing. Every question
// is asked once, so a dead endpoint costs no more than the caller's time.
//
// It is a package of its own so that the handler does not link what it never asks.
package admin
