// Package admin answers /admin/…: ping and status of the host, the functions and
// their faults, and runs by hand.
//
// It promises the shapes and statuses of the real host for what a developer needs
// locally, and 404 for the rest. Only ping needs no key. A run by hand is answered
// before it has run, whatever comes of it; running is the caller's affair.
package admin
