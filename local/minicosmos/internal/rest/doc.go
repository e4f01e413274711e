// Package rest answers the requests of the REST surface, under the faults that are switched on: a file for each resource.
//
// # The way of a request
//
//	ServeHTTP ──package wire: path, signature, body──→ known
//	known ──faults.go: what befalls it──→ dispatch (service.go)
//	dispatch ──→ account.go, offers.go, resources.go, ranges.go, documents.go, batch.go, bulk.go, query.go, changes.go
//	answer ──package wire──→ counted and written
//
// It promises that every request that comes in is answered or, under a fault that says so, cut; that a panic is an answer
// of 500; and that nothing is done for whoever is not let in. It holds no state of its own: what is stored is package
// account's, and what is read by queries is read by package query.
package rest
