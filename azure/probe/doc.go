// Package probe is how a first question to an Azure service is judged: whether there was
// an answer at all, what it said about the credential, and what it said about the clock.
//
// The readers for relaybox doctor share it. It makes no request of its own.
package probe
