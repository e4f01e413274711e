package node

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

var _ amqpserver.Lapsing = (*peer)(nil)

// NextLapse implements amqpserver.Lapsing: tokens end. A client that shows another one in time keeps its links.
func (p *peer) NextLapse() time.Time {
	now := time.Now()
	if next := p.grants.NextEnd(now.UnixMilli()); next > 0 && next < now.AddDate(100, 0, 0).UnixMilli() {
		return time.UnixMilli(next)
	}
	return time.Time{}
}

// Lapsed implements amqpserver.Lapsing.
func (p *peer) Lapsed(a *amqpwire.Attach) *amqpwire.Error {
	address, claims := "", []sas.Claim{sas.Listen}
	switch {
	case a.Role == amqpwire.RoleReceiver:
		address = a.Source.Address
	case a.Target != nil:
		address, claims = a.Target.Address, []sas.Claim{sas.Send}
	}
	e, management := p.nodes.Find(address)
	if e == nil {
		return nil // $cbs, a coordinator, or it has been deleted and the link is told so
	}
	if management {
		claims = []sas.Claim{sas.Send, sas.Listen}
	}
	if p.need(e, claims...) == nil {
		return nil
	}
	return amqpwire.Errorf(amqpwire.CondUnauthorized, "ExpiredToken: The token for '%s' is expired, and no other one has been shown.", e.Path)
}
