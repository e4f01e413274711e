// Package request takes an HTTP request for an entity apart: its id, its body, the
// conditions on it, its Idempotency-Key, its trace. The HTTP functions of package entity
// are made of it, and a function of your own can be.
//
// It promises that what it cannot understand is a problem (package problem), never
// ignored: a condition that is read over would let through the write that it was to stop.
// It asks no store.
package request
