// Package sas verifies shared access signatures: which key has signed a token, for what, until when, and what the
// connection that has shown it may do.
//
// What it promises: nothing is granted without a valid signature of a known key, before the token's expiry, for the
// resource or one above it. A refusal is the text that the service answers. It knows paths and claims, and no entities.
package sas
