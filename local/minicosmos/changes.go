package minicosmos

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The change feed, in the mode "latest version": each document once, at the place of its last change, in the order of
// LSNs; what was deleted or has expired is not there. A page never ends inside a transaction. Its ETag is the LSN that
// was read up to; the next request brings it as If-None-Match.

// changePage is a page under way.
type changePage struct {
	at     *sight
	c      *container
	r      *request
	scope  scope
	in     *physical
	after  uint64 // LSN
	since  int64  // Unix seconds, 0 for always
	now    int64
	limits sql.Limits

	found   []*record
	bytes   int
	looked  int
	reached uint64 // LSN up to which everything was looked at
	full    bool
}

// changes answers GET /docs with A-IM: Incremental Feed.
func (s *Server) changes(r *request, c *container) (a *answer, bad *Error) {
	p := &changePage{r: r, c: c, now: s.now()}
	if p.limits, bad = r.limits(); bad != nil {
		return nil, bad
	}
	if p.scope, bad = r.scope(c, allDocuments, nil); bad != nil {
		return nil, bad
	}
	fromNow, bad := p.start()
	if bad != nil {
		return nil, bad
	}
	if p.at, bad = s.see(r, c); bad != nil {
		return nil, bad
	}
	defer func() {
		if err := p.at.release(); err != nil && bad == nil {
			bad = internal(err)
		}
	}()
	if p.in, bad = p.one(); bad != nil {
		return nil, bad
	}
	seen := p.at.token(p.in)
	if p.reached = max(p.after, seen); !fromNow {
		if err := p.read(); err != nil {
			return nil, internal(err)
		}
	}
	if r.shuffle != nil {
		p.shuffle(r.shuffle)
	}
	return p.answer(), nil
}

// start reads where the feed begins: If-None-Match, which wins, or If-Modified-Since, or the beginning.
func (p *changePage) start() (fromNow bool, bad *Error) {
	token := p.r.Header.Get("If-None-Match")
	if token == "*" {
		return true, nil
	}
	if token != "" {
		lsn, err := strconv.ParseUint(strings.Trim(token, `"`), 10, 63)
		if err != nil {
			return false, badRequest("The header If-None-Match %q is not the ETag of a page of this feed.", token)
		}
		p.after = lsn
		return false, nil
	}
	header := p.r.Header.Get("If-Modified-Since")
	if header == "" {
		return false, nil
	}
	since, err := time.Parse(time.RFC1123, header) // azcosmos writes UTC where HTTP has GMT
	if err != nil {
		return false, badRequest("The header If-Modified-Since %q is not an RFC 1123 date.", header)
	}
	p.since = since.Unix()
	return false, nil
}

// one finds the physical range that is read.
func (p *changePage) one() (*physical, *Error) {
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
		return nil, &Error{Status: http.StatusGone, Substatus: substatusRangeGone, Code: "Gone", Message: "The keys lie in several ranges: read the ranges again."}
	}
	return nil, badRequest("The change feed of a container with %d ranges is read by range: send x-ms-documentdb-partitionkeyrangeid.", len(l.live))
}

// read goes through the changes of the range's parents and then its own: LSNs count on.
func (p *changePage) read() error {
	for _, id := range append(p.in.parents[:len(p.in.parents):len(p.in.parents)], p.in.id) {
		prefix := changePrefix(p.c.number, id)
		err := p.at.scan(prefix, binary.BigEndian.AppendUint64(changePrefix(p.c.number, id), p.after+1), func(k, stored []byte) (bool, error) {
			if len(stored) != 8 {
				return false, errCorrupt
			}
			lsn, number, modified := binary.BigEndian.Uint64(k[len(prefix):]), lastNumber(k), int64(binary.BigEndian.Uint64(stored))
			return p.visit(lsn, number, modified)
		})
		if err != nil || p.full {
			return err
		}
	}
	return nil
}

func (p *changePage) visit(lsn, number uint64, modified int64) (more bool, err error) {
	if n := len(p.found); n > 0 && lsn != p.found[n-1].lsn && (n >= p.limits.Rows || p.bytes >= p.limits.Bytes) {
		p.full, p.reached = true, lsn-1
		return false, nil
	}
	p.reached = max(p.reached, lsn) // the view may be newer than what was said of it
	if modified < p.since {
		return true, nil
	}
	if p.looked++; p.looked%1000 == 0 && p.r.Context().Err() != nil {
		return false, p.r.Context().Err()
	}
	r, err := p.at.document(p.c.number, number)
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

// shuffle mixes up what was written at once: the service promises no order inside a transaction.
func (p *changePage) shuffle(f *armed) {
	for from := 0; from < len(p.found); {
		to := from + 1
		for to < len(p.found) && p.found[to].lsn == p.found[from].lsn {
			to++
		}
		f.shuffle(p.found[from:to])
		from = to
	}
}

func (p *changePage) answer() *answer {
	a := &answer{status: http.StatusNotModified, charge: chargeChanges(p.looked-len(p.found), p.bytes), count: len(p.found),
		etag: `"` + strconv.FormatUint(p.reached, 10) + `"`, lsn: p.at.token(p.in)}
	a.session = sessionToken(p.in, a.lsn)
	if len(p.found) == 0 {
		return a
	}
	a.status = http.StatusOK
	b := append(sql.AppendString([]byte(`{"_rid":`), p.c.rid), `,"Documents":[`...)
	for i, r := range p.found {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendJSON(b, p.c)
		b = append(strconv.AppendUint(append(b[:len(b)-1], `,"_lsn":`...), r.lsn, 10), '}')
	}
	a.body = append(strconv.AppendInt(append(b, `],"_count":`...), int64(len(p.found)), 10), '}')
	return a
}
