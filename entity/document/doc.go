// Package document reads the JSON of an entity as strictly as a store of record has to,
// and changes it without losing what it does not know.
//
// It promises:
//
//   - Decode lets through exactly what a Go type can hold, and says about anything else
//     where the text stops being JSON, which name nobody knows, or all the members of a
//     wrong type at once;
//   - nothing is silently replaced: text that is not Unicode, a name that stands there
//     twice, and a whole number beyond 2^53-1, which the store would round, are refused;
//   - Encode prints what Decode reads, and Read reads what another version has written,
//     names in another case apart;
//   - Carry keeps the members that a type does not know, at every depth, while it changes
//     those that it knows; of a list, those of elements that stay as they are.
//
// It does not promise anything about values: what a name or an amount may be is for the
// kind's own validation. A float is the
// double nearest to what the client wrote, so 9007199254740993 becomes 9007199254740992
// in a float64 or an any: only what is beyond every double (1e999) is refused. What must
// be exact is an integer type or a string. What a type holds as any or json.RawMessage, and
// what reads itself, is taken as it is, as long as it does not name a member twice, nest
// too deep or have a number that is no double.
package document
