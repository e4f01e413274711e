// Package doctor checks that a set-up gives the protocol what it needs (design G15): that
// settings are complete and fit together, that the app folder holds what a Functions host
// will see, that the services can be reached, and that containers, topic and subscription
// are as the outbox and the inbox need them.
//
// It promises to change nothing and to print no key. Every finding that is not fine names
// its remedy. A finding is one of
//
//	ok        as it should be
//	warning   works, at a price that the line names; the exit status ignores it
//	unknown   could not be checked, and why; exit status 3, unless something is refused
//	refused   breaks a promise of the app; exit status 1
//
// The rules are functions from plain structs to findings: CheckContainer, CheckTopic,
// CheckSubscription and so on, which tests hold against the infrastructure's templates too.
// Run gathers the facts, all services at once and within a bound, and applies them.
//
// What is remote and does not answer is unknown, because a private network may be the
// reason; what does not answer on this machine is refused. What the signed-in person may
// not read is unknown; what a key of the settings may not do is refused.
package doctor
