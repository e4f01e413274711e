package outbox

import "encoding/json"

// Request is one change that a client asks for.
type Request struct {
	Key string
	// IdempotencyKey is the client's own id of the request, "" when it sent none.
	// RequestHash tells a repetition from another request under the same key.
	IdempotencyKey string
	RequestHash    string
	Trace          Trace
	// Decide looks at the entity and says what is to happen. It may run several times, on
	// entities that turn out to be old, or never to be stored, and must not keep anything;
	// never twice at the same time. An error ends the write and is returned as it is: it
	// must not be about the entity (see Decision.Answer).
	Decide func(cur Entity) (Decision, error)
	// Render makes the client's answer from the entity as it is after the write.
	Render func(e Entity, status int) Answer
}

// Decision is what a request does to an entity.
type Decision struct {
	// Status is the HTTP status of the answer.
	Status int
	// Data is the entity's new content; Deleted leaves a tombstone instead.
	Data    json.RawMessage
	Deleted bool
	// Events tell the world. None means that nothing changes: Data and Deleted are ignored.
	Events []Draft
	// Replay names the replay that the events belong to: they tell what the entity is, and nothing
	// has happened to it. Clients see it as it was, with its version and its time, and Data and
	// Deleted are ignored; only the numbers go on, and the entity remembers the name.
	Replay string
	// Answer is what the client is told in place of Render's: that the entity does not
	// allow the request. Nothing changes then. Such an answer is as good as any other: it is
	// given once a commit has shown that the entity was what Decide was shown, and
	// remembered under the request's key, unless Forget says so.
	Answer *Answer
	Forget bool
}

// changes says whether the entity is another one afterwards.
func (d Decision) changes() bool { return d.Answer == nil && len(d.Events) > 0 }

// Draft is an event before it has its number.
type Draft struct {
	// Type is the CloudEvents type.
	Type string
	// Data becomes the CloudEvents data, encoded as JSON.
	Data any
	// ReplayFor is the subscription that it is told for, "" for all.
	ReplayFor string
}
