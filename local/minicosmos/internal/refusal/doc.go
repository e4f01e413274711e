// Package refusal has what the service says no with: one type that is the Go error and the reply, and every refusal that
// more than one room gives.
//
// It promises that a refusal has the service's status, substatus and code, and that nothing was stored, except with
// Internal: then the outcome of a write is unknown. It is the lowest room: every other may refuse.
package refusal
