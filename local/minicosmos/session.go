package minicosmos

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A session token is a list of range:version#LSN#region=LSN: what a client has seen of each range. A read that brings
// one sees at least that.

// sessionToken is the token for one range at an LSN.
func sessionToken(p *physical, lsn uint64) string {
	n := strconv.FormatUint(lsn, 10)
	return strconv.Itoa(p.id) + ":0#" + n + "#0=" + n
}

// session is what a request's token demands: LSNs by range.
type session map[int]uint64

// session reads x-ms-session-token.
func (r *request) session() (session, *Error) {
	header := r.Header.Get("X-Ms-Session-Token")
	if header == "" {
		return nil, nil
	}
	wanted := session{}
	for part := range strings.SplitSeq(header, ",") {
		id, token, ok := strings.Cut(strings.TrimSpace(part), ":")
		n, errID := strconv.Atoi(id)
		fields := strings.Split(token, "#")
		at := min(1, len(fields)-1) // "0:LSN" is the older form
		lsn, errLSN := strconv.ParseUint(fields[at], 10, 64)
		if !ok || errID != nil || errLSN != nil {
			return nil, badRequest("The header x-ms-session-token %q is not a session token: range:version#LSN#region=LSN.", header)
		}
		wanted[n] = max(wanted[n], lsn)
	}
	return wanted, nil
}

// of is the LSN that is demanded of a range: its own, or that of what it was split from.
func (w session) of(p *physical) uint64 {
	lsn := w[p.id]
	for _, id := range p.parents {
		lsn = max(lsn, w[id])
	}
	return lsn
}

// errSession: a token is ahead of everything that the account has. It is another account's, or another container's.
var errSession = &Error{Status: http.StatusNotFound, Substatus: substatusSession, Code: "NotFound",
	Message: "The read session is not available for the input session token."}

// sight is what one request sees: one replica's state of one container.
type sight struct {
	*view
	layout *layout
	token  func(*physical) uint64 // the LSN that is seen of a range
}

// see looks at a container: at the newest state or, with a lag, at an older one that satisfies the session. The caller
// releases the view. What it says of LSNs was read before the view was taken, so the view is at least as new.
func (s *Server) see(r *request, c *container) (*sight, *Error) {
	wanted, bad := r.session()
	if bad != nil {
		return nil, bad
	}
	before := c.layout.Load()
	seen := make([]uint64, len(before.all))
	for i, p := range before.all {
		seen[i] = p.durableLSN.Load()
	}
	at := &sight{token: func(p *physical) uint64 { return lsnIn(seen, p) }}
	if !at.satisfies(before, wanted) {
		return nil, errSession
	}
	if old := s.replica(r, c, wanted, before); old != nil {
		old.layout = c.layout.Load()
		return old, nil
	}
	at.view = s.store.acquire()
	at.layout = c.layout.Load() // after the view, so that it knows each range the view has
	return at, nil
}

// satisfies tells whether every range shows what the session has seen.
func (at *sight) satisfies(l *layout, wanted session) bool {
	if len(wanted) == 0 {
		return true
	}
	return !slices.ContainsFunc(l.live, func(p *physical) bool { return at.token(p) < wanted.of(p) })
}

// lsnIn is a range's LSN in a list by id; a list from before a split has its parent's.
func lsnIn(list []uint64, p *physical) uint64 {
	if p.id < len(list) {
		return list[p.id]
	}
	for _, id := range slices.Backward(p.parents) {
		if id < len(list) {
			return list[id]
		}
	}
	return 0
}

// one returns the live range with that id.
func (at *sight) one(id int) (*physical, *Error) {
	if id >= len(at.layout.all) || at.layout.all[id].gone {
		return nil, gone(id)
	}
	return at.layout.all[id], nil
}

// inside tells whether a document lies in a part of the key space.
func (at *sight) inside(c *container, r *record, p part) (bool, error) {
	if p.id >= 0 {
		if in, err := at.layout.ofRecord(c, r); err != nil || in.id != p.id {
			return false, err
		}
	}
	if p.keys == nil {
		return true, nil
	}
	pk, err := r.key(c)
	return err == nil && p.keys.Contains(c.pk.EPK(pk)), err
}
