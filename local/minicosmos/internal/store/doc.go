// Package store is the durable half of an account: keys and values, written in groups and read through views.
//
// # What it promises
//
//   - What Commit has acknowledged survives kill -9 of the process.
//
//   - A view shows whole groups, and only durable ones: readers never see what a crash could take back.
//
//   - Changes that are numbered in Commit's fill become visible in the order of their numbers.
//
// # How a change becomes visible
//
//	Commit ──Store.mu: fill numbers it──→ in the open group
//	open group ──one synced write for all of it──→ durable
//	durable ──Store.mu: after runs, new view──→ visible ──→ Commit returns
//
// Store.mu is the last lock of the server (see package minicosmos for those before it), and is never held across I/O.
// While replicas lag (Remember), older views are kept. The store knows nothing of what is in the values.
package store
