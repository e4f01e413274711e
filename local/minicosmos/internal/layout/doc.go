// Package layout has the physical ranges of a container, and the session tokens that speak of them.
//
// It promises that a layout never changes: a split makes the next one, in which the ended range stays, so that what was
// written to it and tokens that name it find its children. Where the LSNs of a range are owned by Store.mu, whoever counts
// them is in a commit of package store.
package layout
