// Package entity makes a kind of entity a value. From that value come its HTTP resource
// and its part of the consumer; what the kind itself says is Go and typed:
//
//	var Kind = entity.Kind[Order, View]{
//		Name:     "order",
//		Validate: Order.validate,
//		Actions:  entity.Actions[Order]{"ship": entity.Do(ship)},
//		Changes:  changes,
//		Apply:    apply,
//	}
//
// Only the name must be there. Without Changes an entity has the events created, updated
// and deleted; without Apply its view is the entity itself.
//
// It promises, for every kind:
//
//   - all or nothing: the entity, its events and the receipt of the request are stored in
//     one batch, or nothing is and the answer is a problem that says why;
//   - a change makes at least one event, a request that changes nothing makes none and
//     gets the answer of one that did;
//   - every event carries the whole state after the change, so that a consumer which
//     missed earlier ones is right again with the next;
//   - every answer to a write is true of the entity as it was between request and answer,
//     refusals included, whatever a lagging replica shows;
//   - a request with an Idempotency-Key is carried out once, however often and at
//     whatever time it is sent within the receipt's life of 24 hours, and each time
//     gets the first answer, 404, 409 and 412 included; a request without a body that the
//     host delivers again likewise. Of a 422 nothing is kept, nor of a 429 or 503;
//   - an entity that a condition guards is not overwritten in another version, and an
//     entity tag never comes back;
//   - two kinds never meet, whatever their ids are;
//   - an event that can never be applied is refused before any view is touched, with a
//     Reason.
//
// It does not promise that a request without an Idempotency-Key is carried out once when
// the client repeats it, nor that a GET shows another instance's newest write, unless it
// asks for that with Cache-Control: no-cache. With max-age it may be as old as that says.
//
// # The way of a request
//
//	read: id, headers, body ──→ decide: conditions, new entity, events ──→ commit
//	   │ 400 411 413 415 422       │ 404 409 412 422     ↑ again, when another   │ 409 413 429 503
//	   ▼                           ▼                     └── write came between ─┘
//	problem, nothing touched    the entity is replaced with its own content, then the problem
//
// # Versions side by side
//
// While a new version of the app is rolled out, the old one reads and writes the same
// entities. What it does not know, it keeps:
//
//   - members of a stored entity that T does not have survive PATCH, actions and, unless
//     Kind.PutReplaces says otherwise, PUT; they are in every event and every answer;
//   - a view keeps the whole state of an event, and members of its own that V does not have;
//   - an event whose name the kind does not know is applied, because it carries the state;
//   - of a list, the elements that a change leaves as they are keep what T does not know; an
//     element that it changes is replaced.
//
// So a field is added by adding it to T, with a zero value that means "not there". Deploy
// that everywhere before clients send it: an instance that does not know a field refuses
// it in a request, because a misspelt one looks the same. docs/own-entity.md has the steps
// of a renaming and of a new event. A type never changes: add a field of the new type.
//
// # Rooms
//
// document reads and changes JSON strictly and without loss, request takes HTTP requests
// apart, problem answers errors as problem+json, api describes kinds to other programs.
// Functions of your own can use all of them. entitytest runs a kind in memory, for its
// tests.
package entity
