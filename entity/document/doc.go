// Package document reads the JSON of an entity as strictly as a store of record has to,
// and changes it without losing what it does not know.
//
// It promises:
//
//   - Decode lets through exactly what a Go type can hold, and says about anything else
//     where the text stops being JSON, which name nobody knows, or all the members of a
//     wrong type at once;
//   - nothing is silently replaced: text that is not Unicode, a name that stands there
//     twice, and a number that the store would round are refused;
//   - Carry keeps the members that a type does not know, at every depth, while it changes
//     those that it knows; of a list, those of elements that stay as they are.
//
// It does not promise anything about values: what a name or an amount may be is for the
// kind's own validation. What a type holds as any or json.RawMessage is taken as it is.
package document
