package query

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The change feed, in the mode "latest version": each document once, at the place of its last change, in the order of
// LSNs; what was deleted or has expired is not there. A page never ends inside a transaction. Its ETag is the LSN that
// was read up to; the next request brings it as If-None-Match.

// ChangePage is a page of the feed. What is above the empty line is asked, the rest is what Fill finds.
type ChangePage struct {
	Scope   Scope      // what is read
	After   uint64     // LSN
	Since   int64      // Unix seconds, 0 for always
	FromNow bool       // from what is seen now
	Limits  sql.Limits // of the page

	In      *layout.Physical   // the range that was read
	Found   []*document.Record // in order of LSN
	Looked  int                // changes that were looked at
	Bytes   int                // of what was found
	Reached uint64             // LSN up to which everything was looked at

	at   *Sight
	c    *account.Container
	now  int64
	full bool
}

// Fill reads the page from what is seen of a container.
func (p *ChangePage) Fill(ctx context.Context, at *Sight, c *account.Container) (bad *refusal.Error) {
	p.at, p.c, p.now = at, c, time.Now().Unix()
	if p.In, bad = p.find(); bad != nil {
		return bad
	}
	if p.Reached = max(p.After, at.Token(p.In)); p.FromNow {
		return nil
	}
	if err := p.read(ctx); err != nil {
		return refusal.Internal(err)
	}
	return nil
}

// find finds the physical range that is read.
func (p *ChangePage) find() (*layout.Physical, *refusal.Error) {
	l, sc := p.at.Layout, p.Scope
	switch {
	case sc.ID >= 0:
		return p.at.one(sc.ID)
	case len(sc.Key) == len(p.c.PK.Paths):
		return l.OfKey(&p.c.PK, sc.Key), nil
	case len(l.Live) == 1:
		return l.Live[0], nil
	case sc.Keys != nil:
		if in := l.Of(sc.Keys.Min); sc.Keys.Max <= in.Max {
			return in, nil
		}
		return nil, refusal.KeysGone
	}
	return nil, refusal.BadRequest("The change feed of a container with %d ranges is read by range: send x-ms-documentdb-partitionkeyrangeid.", len(l.Live))
}

// read goes through the changes of the range's parents and then its own: LSNs count on.
func (p *ChangePage) read(ctx context.Context) error {
	for _, id := range append(p.In.Parents[:len(p.In.Parents):len(p.In.Parents)], p.In.ID) {
		prefix := document.ChangePrefix(p.c.Number, id)
		err := p.at.Scan(prefix, binary.BigEndian.AppendUint64(document.ChangePrefix(p.c.Number, id), p.After+1), func(k, stored []byte) (bool, error) {
			if len(stored) != 8 {
				return false, document.ErrCorrupt
			}
			lsn, number, modified := binary.BigEndian.Uint64(k[len(prefix):]), document.LastNumber(k), int64(binary.BigEndian.Uint64(stored))
			return p.visit(ctx, lsn, number, modified)
		})
		if err != nil || p.full {
			return err
		}
	}
	return nil
}

func (p *ChangePage) visit(ctx context.Context, lsn, number uint64, modified int64) (more bool, err error) {
	if n := len(p.Found); n > 0 && lsn != p.Found[n-1].LSN && (n >= p.Limits.Rows || p.Bytes >= p.Limits.Bytes) {
		p.full, p.Reached = true, lsn-1
		return false, nil
	}
	p.Reached = max(p.Reached, lsn) // the view may be newer than what was said of it
	if modified < p.Since {
		return true, nil
	}
	if p.Looked++; p.Looked%1000 == 0 && ctx.Err() != nil {
		return false, ctx.Err()
	}
	r, err := document.Load(p.at.View, p.c.Number, number)
	if err != nil || r == nil || r.Expired(p.now) || !p.Scope.holds(r) {
		return err == nil, err
	}
	part := p.Scope.Part
	part.ID = p.In.ID
	inside, err := p.at.inside(p.c, r, part)
	if inside {
		p.Found = append(p.Found, r)
		p.Bytes += len(r.Body)
	}
	return true, err
}

// Shuffle has what was written at once mixed up: the service promises no order inside a transaction.
func (p *ChangePage) Shuffle(mix func([]*document.Record)) {
	for from := 0; from < len(p.Found); {
		to := from + 1
		for to < len(p.Found) && p.Found[to].LSN == p.Found[from].LSN {
			to++
		}
		mix(p.Found[from:to])
		from = to
	}
}
