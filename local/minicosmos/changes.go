package minicosmos

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The change feed, in the mode "latest version": each document once, at the place of its last change, in the order of
// LSNs; what was deleted or has expired is not there. A page never ends inside a transaction. Its ETag is the LSN that
// was read up to; the next request brings it as If-None-Match.

// changePage is a page of the feed. What is above the empty line is asked, the rest is what fill finds.
type changePage struct {
	scope   scope
	after   uint64 // LSN
	since   int64  // Unix seconds, 0 for always
	fromNow bool   // from what is seen now
	limits  sql.Limits

	in      *physical
	found   []*record
	looked  int    // changes that were looked at
	bytes   int    // of what was found
	reached uint64 // LSN up to which everything was looked at

	at   *sight
	c    *container
	now  int64
	full bool
}

// fill reads the page from what is seen of a container.
func (p *changePage) fill(ctx context.Context, at *sight, c *container) (bad *Error) {
	p.at, p.c, p.now = at, c, time.Now().Unix()
	if p.in, bad = p.find(); bad != nil {
		return bad
	}
	if p.reached = max(p.after, at.token(p.in)); p.fromNow {
		return nil
	}
	if err := p.read(ctx); err != nil {
		return internal(err)
	}
	return nil
}

// find finds the physical range that is read.
func (p *changePage) find() (*physical, *Error) {
	l, sc := p.at.layout, p.scope
	switch {
	case sc.id >= 0:
		return p.at.one(sc.id)
	case len(sc.key) == len(p.c.pk.Paths):
		return l.ofKey(&p.c.pk, sc.key), nil
	case len(l.live) == 1:
		return l.live[0], nil
	case sc.keys != nil:
		if in := l.of(sc.keys.Min); sc.keys.Max <= in.Max {
			return in, nil
		}
		return nil, errKeysGone
	}
	return nil, badRequest("The change feed of a container with %d ranges is read by range: send x-ms-documentdb-partitionkeyrangeid.", len(l.live))
}

// read goes through the changes of the range's parents and then its own: LSNs count on.
func (p *changePage) read(ctx context.Context) error {
	for _, id := range append(p.in.parents[:len(p.in.parents):len(p.in.parents)], p.in.id) {
		prefix := changePrefix(p.c.number, id)
		err := p.at.scan(prefix, binary.BigEndian.AppendUint64(changePrefix(p.c.number, id), p.after+1), func(k, stored []byte) (bool, error) {
			if len(stored) != 8 {
				return false, errCorrupt
			}
			lsn, number, modified := binary.BigEndian.Uint64(k[len(prefix):]), lastNumber(k), int64(binary.BigEndian.Uint64(stored))
			return p.visit(ctx, lsn, number, modified)
		})
		if err != nil || p.full {
			return err
		}
	}
	return nil
}

func (p *changePage) visit(ctx context.Context, lsn, number uint64, modified int64) (more bool, err error) {
	if n := len(p.found); n > 0 && lsn != p.found[n-1].lsn && (n >= p.limits.Rows || p.bytes >= p.limits.Bytes) {
		p.full, p.reached = true, lsn-1
		return false, nil
	}
	p.reached = max(p.reached, lsn) // the view may be newer than what was said of it
	if modified < p.since {
		return true, nil
	}
	if p.looked++; p.looked%1000 == 0 && ctx.Err() != nil {
		return false, ctx.Err()
	}
	r, err := loadRecord(p.at.view, p.c.number, number)
	if err != nil || r == nil || r.expired(p.now) || !p.scope.holds(r) {
		return err == nil, err
	}
	part := p.scope.part
	part.id = p.in.id
	inside, err := p.at.inside(p.c, r, part)
	if inside {
		p.found = append(p.found, r)
		p.bytes += len(r.body)
	}
	return true, err
}

// shuffle has what was written at once mixed up: the service promises no order inside a transaction.
func (p *changePage) shuffle(mix func([]*record)) {
	for from := 0; from < len(p.found); {
		to := from + 1
		for to < len(p.found) && p.found[to].lsn == p.found[from].lsn {
			to++
		}
		mix(p.found[from:to])
		from = to
	}
}
