// Package index is what a container's index knows of a document, as bytes in order: for each value at a path that the
// policy includes an entry (Terms), and for what a filter asks the entries that may answer it (Intervals).
//
// It promises that a document that satisfies a sql.Filter over included paths has an entry in the filter's intervals, or
// is Over: has too many entries to be indexed, and must always be looked at. The other way around nothing is promised: an
// entry is cut when it is long and a path is hashed, so whoever reads the index looks at the document in the end.
//
// An entry is a path (4 bytes of a hash) and a value, in ORDER BY's order of values as far as it is not cut. The package
// is pure: where entries are stored is package document's matter.
package index
