// Package api describes kinds of entity to other programs: an OpenAPI 3.1 document of the
// HTTP functions, and a JSON Schema (draft 2020-12) for every type of event.
//
// It promises:
//
//   - what the description says comes from the Go types, the routes and the list of
//     problems, so there is nothing to keep in step by hand;
//   - a body that the kind accepts is accepted by the schema of the body;
//   - answers and events may have members that the schema does not name: a newer version of
//     the app may have written them;
//   - the same kinds and routes give the same bytes.
//
// It does not promise the reverse of the second: a schema cannot say that a name stands
// there twice, that a number is whole only if it is written without a fraction, how many
// bytes a text has, or what Accept and an action think of the entity's state.
//
// # Limits
//
// What Validate enforces is said to the schema by a field's tag limits, whose parts are
// separated by spaces, and its description by the tag jsonschema:
//
//	Customer string `json:"customer" limits:"required pattern=^[a-z]{1,64}$" jsonschema:"Who pays."`
//
// The parts are required, minLength, maxLength, pattern, enum (its values separated by |),
// minimum, maximum, minItems, maxItems and maxProperties. One that begins with "items.",
// "values." or "keys." is about a list's elements, or a map's values or keys. Without tags
// the schema says the types, which is correct, and less.
package api
