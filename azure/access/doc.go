// Package access is how the app gets into a service of Azure: with its identity, or with
// the key in a connection string. The adapters share it.
//
// It promises that a fault of the settings and an identity without a token can be told
// from whatever a service answers, and that no error repeats what may be a key. It makes
// no request of its own.
package access
