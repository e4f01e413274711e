// Package hostname keeps web pages out of servers of this machine.
//
// A page can give its own name the address 127.0.0.1 (DNS rebinding). Its requests then reach
// a server here, and to the browser they are requests to the page's own site, which it may
// read. Only the Host header tells: it has the page's name.
//
// Promise: a request is let in under localhost, under an address, and under names that were
// given to the server; no page has those. One over a connection in memory, which no browser
// has, or without a Host is let in too. It is no protection from other programs, or from
// other machines: who lets a server listen for them has let them in.
package hostname

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Names are what a server is called by, besides localhost.
type Names []string

// Admit says whether a request is let in: local is this end of its connection, host its
// Host header.
func (n Names) Admit(local net.Addr, host string) bool {
	if _, tcp := local.(*net.TCPAddr); !tcp || host == "" {
		return true
	}
	name := nameOf(host)
	return isLocalhost(name) || net.ParseIP(name) != nil ||
		slices.ContainsFunc(n, func(own string) bool { return strings.EqualFold(own, name) })
}

// Refusal is what a request is told that is not let in.
func Refusal(host string) string {
	return refusal(host) + ", or start it with this name (relaybox up --allow-host, Options.Hosts)."
}

func refusal(host string) string {
	return fmt.Sprintf("%.80q is no name of this server: call it localhost or by its address", nameOf(host))
}

// Allow lets a request in; another one is answered, with 403.
func (n Names) Allow(w http.ResponseWriter, r *http.Request) bool {
	return n.allow(w, r, Refusal)
}

// AllowNameless is Allow for a server that nobody can give a name: its refusal advises none.
func AllowNameless(w http.ResponseWriter, r *http.Request) bool {
	return Names(nil).allow(w, r, func(host string) string { return refusal(host) + "." })
}

func (n Names) allow(w http.ResponseWriter, r *http.Request, refusal func(host string) string) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if n.Admit(local, r.Host) {
		return true
	}
	http.Error(w, refusal(r.Host), http.StatusForbidden)
	return false
}

// Loopback says whether addr, with a port or without, is localhost or a loopback address.
func Loopback(addr string) bool {
	name := nameOf(addr)
	return isLocalhost(name) || net.ParseIP(name).IsLoopback()
}

func isLocalhost(name string) bool { return strings.EqualFold(name, "localhost") }

// nameOf is a Host header without its port, and without the brackets of an address.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
