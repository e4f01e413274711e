package minicosmos

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// changes answers GET /docs with A-IM: Incremental Feed.
func (s *service) changes(r *call, c *container) (a *answer, bad *Error) {
	p := &changePage{}
	if p.limits, bad = r.limits(); bad != nil {
		return nil, bad
	}
	if p.scope, bad = r.scope(c, allDocuments, nil); bad != nil {
		return nil, bad
	}
	if bad = r.start(p); bad != nil {
		return nil, bad
	}
	at, bad := s.see(r, c)
	if bad != nil {
		return nil, bad
	}
	defer func() {
		if err := at.release(); err != nil && bad == nil {
			bad = internal(err)
		}
	}()
	if bad := p.fill(r.Context(), at, c); bad != nil {
		return nil, bad
	}
	if r.shuffle != nil {
		p.shuffle(func(list []*record) {
			r.shuffle.shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		})
	}
	return changesAnswer(p, c, at.token(p.in)), nil
}

// start reads where the feed begins: If-None-Match, which wins, or If-Modified-Since, or the beginning.
func (r *call) start(p *changePage) *Error {
	token := r.Header.Get("If-None-Match")
	if token == "*" {
		p.fromNow = true
		return nil
	}
	if token != "" {
		lsn, err := strconv.ParseUint(strings.Trim(token, `"`), 10, 63)
		if err != nil {
			return badRequest("The header If-None-Match %q is not the ETag of a page of this feed.", token)
		}
		p.after = lsn
		return nil
	}
	header := r.Header.Get("If-Modified-Since")
	if header == "" {
		return nil
	}
	since, err := time.Parse(time.RFC1123, header) // azcosmos writes UTC where HTTP has GMT
	if err != nil {
		return badRequest("The header If-Modified-Since %q is not an RFC 1123 date.", header)
	}
	p.since = since.Unix()
	return nil
}

// changesAnswer is the reply that a page of the feed is.
func changesAnswer(p *changePage, c *container, lsn uint64) *answer {
	a := &answer{status: http.StatusNotModified, charge: chargeChanges(p.looked-len(p.found), p.bytes), count: len(p.found),
		etag: `"` + strconv.FormatUint(p.reached, 10) + `"`}
	a.seen(p.in, lsn)
	if len(p.found) == 0 {
		return a
	}
	a.status = http.StatusOK
	b := append(sql.AppendString([]byte(`{"_rid":`), c.rid), `,"Documents":[`...)
	for i, r := range p.found {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendJSON(b, &c.home)
		b = append(strconv.AppendUint(append(b[:len(b)-1], `,"_lsn":`...), r.lsn, 10), '}')
	}
	a.body = append(strconv.AppendInt(append(b, `],"_count":`...), int64(len(p.found)), 10), '}')
	return a
}
