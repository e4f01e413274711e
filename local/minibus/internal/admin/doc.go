// Package admin is the administration REST interface: HTTP requests in, documents of package atom out.
//
// What it promises: a token is looked at before anything else is told. A reply to a change goes out when the change is on
// disk; a page shows one moment of the broker. Bodies, headers and time are bounded.
//
// One method is one file (get.go, write.go); handler.go is what all have in common, auth.go who may do what. It takes the
// broker's lock for each request, and servers.mu apart from it.
package admin
