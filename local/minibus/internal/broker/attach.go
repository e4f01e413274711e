package broker

import (
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

const (
	sessionFilter    = "com.microsoft:session-filter"
	defaultSessionMs = 60_000 // how long "next session" waits if the client does not say
)

// Receivers are the consumers of one connection, by the names of their links, and its transactions. Broker.mu guards them.
type Receivers struct {
	byName        map[string]*consumer
	transactions  map[string]*Transaction // by id
	transactional int                     // bytes that they hold
}

// NewReceivers are those of a connection that has none yet.
func NewReceivers() *Receivers {
	return &Receivers{byName: map[string]*consumer{}, transactions: map[string]*Transaction{}}
}

// Session is the session of the link of a name, if it receives one of this entity. The caller holds Broker.mu.
func (r *Receivers) Session(link string, of *Entity) (string, bool) {
	if c := r.byName[link]; c != nil && c.in == of && c.session != nil {
		return c.session.id, true
	}
	return "", false
}

// Attach makes a link a consumer of the entity, now or when there is a session for it.
func (e *Entity) Attach(r *Receivers, a *amqpwire.Attach, link amqpserver.Link) (cancel func()) {
	c := &consumer{with: r, name: a.Name, in: e, link: link}
	c.deletes = a.SndSettleMode != nil && *a.SndSettleMode == amqpwire.SndSettled
	wanted, sessions := sessionWanted(a.Source.Filter, c)
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	if err := e.open(receiving); err != nil {
		link.Attached(nil, err)
		return nil
	}
	switch {
	case e.forward != nil && e.states[Deferred] == 0: // what is deferred does not go, and is asked for by number
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed,
			"A message receiver cannot be created on '%s': its messages are forwarded to '%s'. Receive from there.", e.Path, e.forward.Path))
		return nil
	case sessions && !e.Settings.RequiresSession:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed,
			"A sessionful message receiver cannot be created on an entity that does not require sessions. Ensure RequiresSession is set to true when creating the entity."))
		return nil
	case !sessions && e.Settings.RequiresSession:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed,
			"It is not possible for an entity that requires sessions to create a non-sessionful message receiver."))
		return nil
	}
	if sessions {
		id, named := wanted.(string)
		switch {
		case named:
			if err := e.acceptNamed(id, c); err != nil {
				link.Attached(nil, err)
				return nil
			}
		case !e.acceptNext(c):
			c.waiter = e.park(c, patience(a))
			r.byName[c.name] = c
			return c.Detach
		}
	}
	r.byName[c.name] = c
	e.links[link] = struct{}{}
	link.Attached(c, nil)
	return c.Detach // the client may go before it has heard of this
}

// sessionWanted reads the session filter: a string names a session, null takes the next. Some clients describe the
// value and some do not.
func sessionWanted(filters amqpwire.Map, c *consumer) (wanted any, sessions bool) {
	for _, f := range filters {
		if name, _ := amqpwire.Text(f.Key); name == sessionFilter {
			c.filter = &f
			if d, ok := f.Value.(amqpwire.Described); ok {
				return d.Value, true
			}
			return f.Value, true
		}
	}
	return nil, false
}

// patience is how long a client wants to wait for a session.
func patience(a *amqpwire.Attach) int64 {
	if ms, ok := amqpwire.Int(a.Properties.Get("com.microsoft:timeout")); ok && ms > 0 {
		return ms
	}
	return defaultSessionMs
}
