// Package wire takes requests apart and puts answers together, in the forms of the service's REST surface.
//
// It promises that a request which is let in was signed with the account's key or has an access token that is valid; that
// the bodies which are held at once are bounded; that an answer, a refusal too, has the service's headers and shape; and that
// each kind of operation has its price (charge.go) and its total (totals.go). It knows nothing of what is stored: what a
// request does is package rest's.
package wire
