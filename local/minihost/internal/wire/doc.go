// Package wire is HTTP/1.1 as bytes, for both sides of the host: the clients in
// front of it and the handler behind it.
//
// It promises that a header line is read and written as it was sent, that no
// length is trusted with memory and that what is too large is refused with the
// status of the real host's web server. net/http would change the case of
// header names, drop hop-by-hop headers and refuse what the real host lets
// through. It knows nothing of connections, functions or the host.
package wire
