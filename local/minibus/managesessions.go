package minibus

import (
	"bytes"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

func (g *manager) owned(r *request) (*session, error) {
	id, ok := r.text("session-id")
	if !ok {
		return nil, amqpwire.Errorf(condArgument, "the request has no 'session-id'")
	}
	return g.in.ownedBy(g.peer, id)
}

// renewSessionLock extends the lock of the session's owner.
func (g *manager) renewSessionLock(r *request) (response, error) {
	s, err := g.owned(r)
	if err != nil {
		return response{}, err
	}
	s.renew()
	return succeed("expiration", amqpwire.Timestamp(s.until)), nil
}

// sessionState answers with what the owner, or one before, has stored. Real Service Bus documents no rule about who may
// read it; here, like for everything else, it is the owner.
func (g *manager) sessionState(r *request) (response, error) {
	s, err := g.owned(r)
	if err != nil {
		return response{}, err
	}
	if s.state == nil {
		return succeed("session-state", nil), nil
	}
	return succeed("session-state", s.state), nil
}

// setSessionState stores a state, or clears it.
func (g *manager) setSessionState(r *request) (response, error) {
	s, err := g.owned(r)
	if err != nil {
		return response{}, err
	}
	state, _ := r.field("session-state").([]byte)
	if len(state) > maxSessionStateKB<<10 {
		return failure(500, amqpwire.CondResourceLimit, "The session state is larger than 256 KB."), nil
	}
	s.state, s.stateAt = nil, g.in.b.now()
	if len(state) > 0 {
		s.state = bytes.Clone(state)
	}
	s.storeState()
	return succeed(), nil
}

// yearTenThousand, in Unix milliseconds, is what clients send for "no lower bound".
const yearTenThousand = 253402300800000

// listSessions pages through session ids: those with messages or a state or, if a time is given, those whose state has
// been set since.
func (g *manager) listSessions(r *request) (response, error) {
	since, ok := r.field("last-updated-time").(amqpwire.Timestamp)
	byState := ok && since < yearTenThousand-1
	var ids []string
	for id, s := range g.in.sessions {
		if byState && (s.state == nil || s.stateAt <= int64(since)) || !byState && s.messages == 0 && s.state == nil {
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	skip := min(max(int(r.number("skip")), 0), len(ids))
	top := min(max(int(r.number("top")), 0), len(ids)-skip)
	if ids = ids[skip : skip+top]; len(ids) == 0 {
		return nothing(), nil
	}
	return succeed("skip", int32(skip+len(ids)), "sessions-ids", ids), nil
}
