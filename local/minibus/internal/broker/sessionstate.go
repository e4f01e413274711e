package broker

import (
	"bytes"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// What a session's owner does beside receiving. The caller holds Broker.mu.

const maxSessionStateKB = 256

// RenewSession extends the lock of the owner, and returns its end.
func (e *Entity) RenewSession(r *Receivers, id string) (until int64, err error) {
	s, err := e.ownedBy(r, id)
	if err != nil {
		return 0, err
	}
	s.renew()
	return s.until, nil
}

// SessionState is what an owner has stored; nil: nothing.
func (e *Entity) SessionState(r *Receivers, id string) ([]byte, error) {
	s, err := e.ownedBy(r, id)
	if err != nil {
		return nil, err
	}
	return s.state, nil
}

// SetSessionState stores a state; an empty one clears it.
func (e *Entity) SetSessionState(r *Receivers, id string, state []byte) error {
	if err := e.mayHave(r, id, state); err != nil {
		return err
	}
	e.sessions[id].setState(bytes.Clone(state))
	return nil
}

// mayHave says whether a connection may store a state.
func (e *Entity) mayHave(r *Receivers, id string, state []byte) error {
	s, err := e.ownedBy(r, id)
	if err != nil {
		return err
	}
	if len(state) > maxSessionStateKB<<10 {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "The session state is larger than 256 KB.")
	}
	if len(state) == 0 {
		return nil
	}
	if more := len(state) - len(s.state); more > 0 && e.bytes+more > e.quota() {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "%s", e.full())
	}
	return e.b.hasRoom(len(state))
}

func (s *session) setState(state []byte) {
	s.in.bytes += len(state) - len(s.state)
	s.state, s.stateAt = nil, s.in.b.Now()
	if len(state) > 0 {
		s.state = state
	}
	s.storeState()
	s.in.callFeeders() // there may be room now
}

// SessionIDs are those of sessions with messages or a state or, by their states, of those whose state has been set since.
func (e *Entity) SessionIDs(since int64, byState bool) []string {
	var ids []string
	for id, s := range e.sessions {
		if byState && (s.state == nil || s.stateAt <= since) || !byState && s.messages == 0 && s.state == nil {
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
