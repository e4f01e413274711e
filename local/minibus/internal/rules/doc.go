// Package rules says which messages a subscription takes, and what it changes in its copies.
//
// What it promises: text is parsed once ([Compile]); properties of a message are decoded when the first filter looks at
// them, and then for all rules ([Candidate]). A copy shares what its rule's action does not change with the message. A
// rule that cannot be evaluated for a message, or applied to it, is an error and never a match.
//
// SQL itself is package sqlfilter. Here is what it sees of a message ([SQL]), the correlation filter, and how rules are
// written in requests and answers of $management; how the administration interface writes them is package atom.
package rules
