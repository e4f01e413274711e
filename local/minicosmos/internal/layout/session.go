package layout

import (
	"slices"
	"strconv"
	"strings"
)

// A session token is a list of range:version#LSN#region=LSN: what a client has seen of each range. A read that brings
// one sees at least that.

// Token is the token for one range at an LSN.
func Token(p *Physical, lsn uint64) string {
	n := strconv.FormatUint(lsn, 10)
	return strconv.Itoa(p.ID) + ":0#" + n + "#0=" + n
}

// Session is what a request's token demands: LSNs by range.
type Session map[int]uint64

// ParseSession reads x-ms-session-token; ok is false if it is none. "" demands nothing.
func ParseSession(header string) (wanted Session, ok bool) {
	if header == "" {
		return nil, true
	}
	wanted = Session{}
	for part := range strings.SplitSeq(header, ",") {
		id, token, ok := strings.Cut(strings.TrimSpace(part), ":")
		n, errID := strconv.Atoi(id)
		fields := strings.Split(token, "#")
		at := min(1, len(fields)-1) // "0:LSN" is the older form
		lsn, errLSN := strconv.ParseUint(fields[at], 10, 64)
		if !ok || errID != nil || errLSN != nil {
			return nil, false
		}
		wanted[n] = max(wanted[n], lsn)
	}
	return wanted, true
}

// Of is the LSN that is demanded of a range: its own, or that of what it was split from.
func (w Session) Of(p *Physical) uint64 {
	lsn := w[p.ID]
	for _, id := range p.Parents {
		lsn = max(lsn, w[id])
	}
	return lsn
}

// LSNIn is a range's LSN in a list by id; a list from before a split has its parent's.
func LSNIn(list []uint64, p *Physical) uint64 {
	if p.ID < len(list) {
		return list[p.ID]
	}
	for _, id := range slices.Backward(p.Parents) {
		if id < len(list) {
			return list[id]
		}
	}
	return 0
}
