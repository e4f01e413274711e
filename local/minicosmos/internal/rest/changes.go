package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// changes answers GET /docs with A-IM: Incremental Feed.
func (s *Service) changes(r *call, c *account.Container) (a *wire.Answer, bad *refusal.Error) {
	p := &query.ChangePage{}
	described, bad := r.describedChanges()
	if bad != nil {
		return nil, bad
	}
	if p.Limits, bad = r.limits(); bad != nil {
		return nil, bad
	}
	if p.Scope, bad = r.scope(c, allDocuments, nil); bad != nil {
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
		if err := at.Release(); err != nil && bad == nil {
			bad = refusal.Internal(err)
		}
	}()
	if bad := p.Fill(r.Context(), at, c); bad != nil {
		return nil, bad
	}
	if r.shuffle != nil {
		p.Shuffle(func(list []*document.Record) {
			r.shuffle.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		})
	}
	return changesAnswer(p, c, at.Token(p.In), described), nil
}

// describedChanges reads which form changes have: documents, or documents beside what is known of their change.
func (r *call) describedChanges() (bool, *refusal.Error) {
	switch version := r.Header.Get("X-Ms-Cosmos-Changefeed-Wire-Format-Version"); version {
	case "":
		return false, nil
	case "2021-09-15":
		return true, nil
	default:
		return false, refusal.BadRequest("The header x-ms-cosmos-changefeed-wire-format-version %q names a form that this server does not have: there is 2021-09-15.", version)
	}
}

// start reads where the feed begins: If-None-Match, which wins, or If-Modified-Since, or the beginning.
func (r *call) start(p *query.ChangePage) *refusal.Error {
	token := r.Header.Get("If-None-Match")
	if token == "*" {
		p.FromNow = true
		return nil
	}
	if token != "" {
		lsn, err := strconv.ParseUint(strings.Trim(token, `"`), 10, 63)
		if err != nil {
			return refusal.BadRequest("The header If-None-Match %q is not the ETag of a page of this feed.", token)
		}
		p.After = lsn
		return nil
	}
	header := r.Header.Get("If-Modified-Since")
	if header == "" {
		return nil
	}
	since, err := time.Parse(time.RFC1123, header) // azcosmos writes UTC where HTTP has GMT
	if err != nil {
		return refusal.BadRequest("The header If-Modified-Since %q is not an RFC 1123 date.", header)
	}
	p.Since = since.Unix()
	return nil
}

// changesAnswer is the reply that a page of the feed is.
func changesAnswer(p *query.ChangePage, c *account.Container, lsn uint64, described bool) *wire.Answer {
	a := &wire.Answer{Status: http.StatusNotModified, Charge: wire.ChargeChanges(p.Looked-len(p.Found), p.Bytes), Count: len(p.Found),
		ETag: `"` + strconv.FormatUint(p.Reached, 10) + `"`}
	a.Seen(p.In, lsn)
	if len(p.Found) == 0 {
		return a
	}
	a.Status = http.StatusOK
	b := append(sql.AppendString([]byte(`{"_rid":`), c.RID), `,"Documents":[`...)
	for i, r := range p.Found {
		if i > 0 {
			b = append(b, ',')
		}
		if described {
			b = r.AppendJSON(append(b, `{"current":`...), &c.Home)
			b = strconv.AppendUint(append(b, `,"metadata":{"lsn":`...), r.LSN, 10)
			b = append(strconv.AppendInt(append(b, `,"crts":`...), r.Modified, 10), `}}`...)
			continue
		}
		b = r.AppendJSON(b, &c.Home)
		b = append(strconv.AppendUint(append(b[:len(b)-1], `,"_lsn":`...), r.LSN, 10), '}')
	}
	a.Body = append(strconv.AppendInt(append(b, `],"_count":`...), int64(len(p.Found)), 10), '}')
	return a
}
