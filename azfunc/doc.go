// Package azfunc speaks the contract between an Azure Functions host and a
// custom handler, in both directions.
//
// # What it promises
//
// On the handler's side, [Decode] reads whatever shape of the default protocol
// a host is known to send: payloads as base64, as text encoded once or twice,
// metadata values quoted or not, numbers as strings, times without a zone.
// [Mux] answers every request: 200 with the answer document or 500 for
// default-protocol functions (never an empty 2xx, which makes the host wait
// until functionTimeout and then kill the process), and the handler's own
// answer or problem+json for forwarded HTTP functions. A panic in one
// invocation becomes that invocation's 500 and touches no other. Answers are
// buffered, so none is ever cut short in the middle, and given when the request's
// body has been read, so that the host, which sends all of it first, gets them.
//
// On the host's side, EncodeTimer, EncodeMessage and EncodeHTTP write the
// bodies that the real host writes, metadata pollution included, and
// [DecodeAnswer] judges an answer by the host's rules.
//
// # What it does not promise
//
// A text payload that arrives encoded once and happens to be valid base64 is
// taken for base64: the two cannot be told apart. Declare dataType "binary" on
// the trigger, and the question never arises. Route constraints are the host's
// work: a [Mux] hands every decoded path value to the handler, which judges it.
//
// # An invocation
//
//	received ──decoded──→ running ──returned──→ answered 200
//	    │                    ├─────error──────→ answered 500, logged
//	    └─unreadable→ 500    ├─────panic──────→ answered 500, logged with stack
//	                         └─deadline: the context ends with ErrDeadline as its cause
package azfunc
