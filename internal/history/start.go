package history

// Start is an entity as a history finds it, after a restore of what it lies in; the zero
// value is one that never was.
type Start struct {
	Exists  bool
	Version int64
	// Life is the incarnation.
	Life string
	// Body is the entity as JSON.
	Body string
	// Receipts are calls under Idempotency-Keys with the answers that are remembered.
	Receipts []Call
	// Moves: the changes from here on may begin other incarnations.
	Moves bool
}

func (from Start) state() state {
	s := state{exists: from.Exists, version: from.Version, life: from.Life, moves: from.Moves}
	if from.Exists {
		s.content = Answer{Body: from.Body}.Content()
	}
	for i := range from.Receipts {
		c := &from.Receipts[i]
		version, _ := Version(c.Answer.ETag)
		r := receipt{request: c.request(), status: c.Answer.Status, version: version}
		if shows(r.status) {
			r.content, r.body = c.Answer.Content(), c.Answer.Body
		}
		s = s.with(c.IdempotencyKey, r)
	}
	return s
}
