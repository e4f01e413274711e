package history

import (
	"maps"
	"net/http"
	"slices"
)

// state is an entity with the receipts of its Idempotency-Keys, at one moment of an order.
// It is never changed in place.
type state struct {
	exists  bool
	version int64
	// life is the incarnation; "" until an answer has told it.
	life     string
	content  string
	receipts map[string]receipt
	// moves: each change may begin another incarnation.
	moves bool
	// placed counts the unknown calls so far, by what was sent. It says no more of the entity
	// than which calls have been placed, and so takes no part in equal.
	placed map[string]int
}

// receipt is the first answer under an Idempotency-Key.
type receipt struct {
	request string
	status  int
	version int64
	content string
	// body is what the answer said to the letter; "" until one was seen. A refusal's names
	// the invocation, and is another one each time.
	body string
}

func (s state) equal(o state) bool {
	return s.exists == o.exists && s.version == o.version && s.life == o.life && s.content == o.content && maps.Equal(s.receipts, o.receipts)
}

// step says whether the call may be the next one, and what is there after it.
func (s state) step(c *Call) (bool, state) {
	if c.Method == http.MethodGet {
		return s.read(c)
	}
	if c.unknown() {
		if s.placed[c.sent()] != c.again {
			return false, s
		}
		s = s.place(c)
	}
	if r, ok := s.receipts[c.IdempotencyKey]; ok && c.IdempotencyKey != "" {
		return s.repeat(c, r)
	}
	if c.Answer.Status == http.StatusUnprocessableEntity {
		return false, s // there was no other request under the key
	}
	next, status := s.decide(c)
	if c.Outcome == Open {
		return s.open(c, next, status)
	}
	if status != c.Answer.Status || !c.Effect.allows(s, next) {
		return false, s
	}
	if shows(status) {
		var ok bool
		if ok, next = next.agrees(c.Answer); !ok {
			return false, s
		}
	}
	return true, next.remember(c, status)
}

// place counts an unknown call. Equal ones can change places in every order, if the one that
// began first comes first: only that order is tried, or a client that repeats fifty times
// makes two to the fifty.
func (s state) place(c *Call) state {
	placed := maps.Clone(s.placed)
	if placed == nil {
		placed = map[string]int{}
	}
	placed[c.sent()]++
	s.placed = placed
	return s
}

func (s state) read(c *Call) (bool, state) {
	if c.Answer.Status == http.StatusNotFound {
		return !s.exists, s
	}
	if !s.exists {
		return false, s
	}
	return s.agrees(c.Answer)
}

// repeat is a call whose Idempotency-Key was used before.
func (s state) repeat(c *Call, r receipt) (bool, state) {
	switch {
	case c.Effect > 0:
		return false, s // a repetition changes nothing
	case c.Outcome == Open:
		return true, s
	case r.request != c.request():
		return c.Answer.Status == http.StatusUnprocessableEntity, s
	case r.status != c.Answer.Status:
		return false, s
	case shows(r.status):
		if r.body != "" && r.body != c.Answer.Body {
			return false, s
		}
		then := state{version: r.version, life: s.life, content: r.content}
		if s.moves {
			then.life = "" // it may be an earlier one's
		}
		if ok, _ := then.agrees(c.Answer); !ok {
			return false, s
		}
	}
	r.body = c.Answer.Body
	return true, s.with(c.IdempotencyKey, r)
}

// open is a call whose answer was lost. One that never took effect stands at the end of the
// order, where it does no harm.
func (s state) open(c *Call, next state, status int) (bool, state) {
	switch {
	case c.Effect.allows(s, next):
		return true, next.remember(c, status)
	case c.Effect == NoEffect:
		return true, s // it never came
	}
	return false, s
}

// allows says whether what was seen of a call agrees with what it makes of s.
func (e Effect) allows(s, next state) bool {
	switch changed := next.version != s.version; {
	case e == Unseen:
		return true
	case e == NoEffect:
		return !changed
	default:
		return changed && next.version == int64(e)
	}
}

func shows(status int) bool { return status == http.StatusOK || status == http.StatusCreated }

// agrees says whether an answer shows s, and returns s with the incarnation that it names.
func (s state) agrees(a Answer) (bool, state) {
	version, life := Version(a.ETag)
	shown, err := a.shown()
	if err != nil || version != s.version || shown != s.content || s.life != "" && life != s.life {
		return false, s
	}
	s.life = life
	return true, s
}

// decide is what the API says that a call does.
func (s state) decide(c *Call) (next state, status int) {
	if !s.exists && c.Method != http.MethodPut {
		return s, http.StatusNotFound
	}
	if c.IfMatch != "" && !s.matches(c.IfMatch) || c.IfNoneMatch != "" && s.matches(c.IfNoneMatch) {
		return s, http.StatusPreconditionFailed
	}
	next = s
	if s.moves {
		next.life = ""
	}
	if c.Method == http.MethodDelete {
		next.exists, next.content, next.version = false, "", s.version+1
		return next, http.StatusNoContent
	}
	if next.content = s.changed(c); s.exists && next.content == s.content {
		return s, http.StatusOK
	}
	next.exists, next.version = true, s.version+1
	if s.exists {
		return next, http.StatusOK
	}
	return next, http.StatusCreated
}

// changed is the content after a PUT or a merge patch (RFC 7396; members have no members).
func (s state) changed(c *Call) string {
	sent, err := members(c.Body)
	if err != nil {
		return "unreadable: " + c.Body
	}
	if c.Method == http.MethodPut && (len(c.Keeps) == 0 || !s.exists) {
		return content(sent)
	}
	now, err := members(s.content)
	if err != nil {
		return s.content
	}
	if c.Method == http.MethodPut {
		maps.DeleteFunc(now, func(name string, _ any) bool { return !slices.Contains(c.Keeps, name) })
	}
	maps.Copy(now, sent)
	return content(now)
}

// matches compares one entity tag, or *, with what is there.
func (s state) matches(tag string) bool {
	if !s.exists || tag == "*" {
		return s.exists
	}
	version, life := Version(tag)
	return version == s.version && (s.life == "" || life == s.life)
}

// remember keeps the answer under the call's Idempotency-Key.
func (s state) remember(c *Call, status int) state {
	if c.IdempotencyKey == "" {
		return s
	}
	r := receipt{request: c.request(), status: status, version: s.version, content: s.content}
	if c.Outcome == Answered {
		r.body = c.Answer.Body
	}
	return s.with(c.IdempotencyKey, r)
}

func (s state) with(key string, r receipt) state {
	receipts := maps.Clone(s.receipts)
	if receipts == nil {
		receipts = map[string]receipt{}
	}
	receipts[key] = r
	s.receipts = receipts
	return s
}
