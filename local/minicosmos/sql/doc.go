// Package sql parses and evaluates the query language of Cosmos DB for NoSQL over
// JSON documents.
//
// It promises the language's own semantics where they differ from SQL's: undefined is
// a value of its own that spreads through operators, AND and OR are three-valued over
// it, a comparison between different types is undefined, equality between them is
// false, and a row that is undefined is no row. A query that the service refuses is
// refused here with the position of the fault (*SyntaxError). Every run is bounded:
// by the page asked for, by a budget of documents looked at, by a budget of memory for
// what must be held (ORDER BY, DISTINCT, GROUP BY) and by the context.
//
// It does not promise the service's choice of index, its charge or user-defined
// functions; docs/compat.md says of each function what differs.
//
//	text ──Parse──→ *Query (names resolved, read only, safe for concurrent use)
//	*Query + parameters + Source ──Run──→ Page ──Cursor──→ Run … until the cursor is nil
package sql
