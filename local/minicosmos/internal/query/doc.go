// Package query reads from a container for a query or for a page of its change feed.
//
// It promises that one request sees one state (Sight): the newest, or that of a replica that lags as long as it satisfies the
// session; that what a query is given has not expired and lies in its scope, in the order in which it was created; and that a
// page of the feed has each document at its last change, in the order of LSNs, and never ends inside a transaction.
//
// The language is package sql's; this package is the way from it to the documents of package account. It takes no lock, and
// what is asked reaches it without its headers.
package query
