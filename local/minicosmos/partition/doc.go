// Package partition answers what a partition key is: how a container defines it, how
// the header of a request spells it, which values a document has for it, and where in
// the key space of the physical ranges it lies (the effective partition key).
//
// It promises the effective partition keys of the service's own SDK for Hash version 1
// and 2 and for MultiHash, and to refuse every header that is not exactly one key.
package partition
