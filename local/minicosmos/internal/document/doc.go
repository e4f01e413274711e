// Package document says what a document is once it is stored: its record, the keys under which that and what points at it
// stand, what a container's policy keeps beside it (index entries, unique keys, expiry), and what a patch makes of it.
//
// It promises that a document and all that points at it are staged together (Put, Remove), that a record is never changed
// once it is committed, and that a stored record is read back as it was or is ErrCorrupt. What is here works on one document
// and takes no lock: who may write it, and when, is package account's. It reads through the views of package store.
package document
