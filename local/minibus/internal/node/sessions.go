package node

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// session is the one that a request is about.
func (r *request) session() (string, error) {
	id, ok := r.text("session-id")
	if !ok {
		return "", amqpwire.Errorf(condArgument, "the request has no 'session-id'")
	}
	return id, nil
}

// renewSessionLock extends the lock of the session's owner.
func (g *manager) renewSessionLock(r *request) (response, error) {
	id, err := r.session()
	if err != nil {
		return response{}, err
	}
	until, err := g.in.RenewSession(g.peer.receivers, id)
	if err != nil {
		return response{}, err
	}
	return succeed("expiration", amqpwire.Timestamp(until)), nil
}

// sessionState answers with what the owner, or one before, has stored. Real Service Bus documents no rule about who may
// read it; here, like for everything else, it is the owner.
func (g *manager) sessionState(r *request) (response, error) {
	id, err := r.session()
	if err != nil {
		return response{}, err
	}
	state, err := g.in.SessionState(g.peer.receivers, id)
	if err != nil {
		return response{}, err
	}
	if state == nil {
		return succeed("session-state", nil), nil
	}
	return succeed("session-state", state), nil
}

// setSessionState stores a state, or clears it.
func (g *manager) setSessionState(r *request) (response, error) {
	id, err := r.session()
	if err != nil {
		return response{}, err
	}
	state, _ := r.field("session-state").([]byte)
	if r.txn != nil {
		err = g.in.SetSessionStateIn(g.peer.receivers, r.txn, id, state)
	} else {
		err = g.in.SetSessionState(g.peer.receivers, id, state)
	}
	if err != nil {
		return response{}, err
	}
	return succeed(), nil
}

// yearTenThousand, in Unix milliseconds, is what clients send for "no lower bound".
const yearTenThousand = 253402300800000

// listSessions pages through session ids: those with messages or a state or, if a time is given, those whose state has
// been set since.
func (g *manager) listSessions(r *request) (response, error) {
	since, ok := r.field("last-updated-time").(amqpwire.Timestamp)
	ids := g.in.SessionIDs(int64(since), ok && since < yearTenThousand-1)
	skip := min(max(int(r.number("skip")), 0), len(ids))
	top := min(max(int(r.number("top")), 0), len(ids)-skip)
	size := 0
	for n, id := range ids[skip : skip+top] {
		if size += len(id); size > maxAnswer {
			top = n // the client asks on from the skip that it is told
			break
		}
	}
	if ids = ids[skip : skip+top]; len(ids) == 0 {
		return nothing(), nil
	}
	return succeed("skip", int32(skip+len(ids)), "sessions-ids", ids), nil
}
