// Package front is the host's side towards its clients: the web server, and what
// becomes of a request on its way to the handler and of an answer on its way back.
//
// It promises what the real host's web server, its Uri class and its HTTP client do
// to a request target, to header fields and to bodies, stage by stage, in both ways
// of calling a handler: forwarded as it is (forward.go) or as the default protocol's
// JSON (default.go). Which function serves a request and how the bytes travel is the
// caller's affair; front knows neither functions nor the handler.
//
// Locks: Server.mu is a leaf. A connection belongs to its goroutine.
package front
