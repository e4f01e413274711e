// Package account is an account that is open: its databases, containers and their throughputs, the transactions on their
// documents, splits, the purging of what has expired, and the check of all of it.
//
// # What it promises
//
//   - A transaction is stored whole or not at all, appears at once, and has one LSN in its physical range.
//
//   - Two transactions on one partition key come one after the other; If-Match lets one of them through.
//
//   - What defines a container changes while no transaction on it is under way.
//
// # Locks, in this order
//
//	Account.running (held shared between Enter and Leave) → catalog.mu → Container.gate → one stripe of Container.locks →
//	Store.mu
//
// It stands on the packages store, document and layout, and knows nothing of HTTP but the statuses of its outcomes and
// refusals. How a query is evaluated is package query's.
package account
