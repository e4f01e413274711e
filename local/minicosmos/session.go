package minicosmos

import (
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

// parseSession reads x-ms-session-token; ok is false if it is none. "" demands nothing.
func parseSession(header string) (wanted session, ok bool) {
	if header == "" {
		return nil, true
	}
	wanted = session{}
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

// of is the LSN that is demanded of a range: its own, or that of what it was split from.
func (w session) of(p *physical) uint64 {
	lsn := w[p.id]
	for _, id := range p.parents {
		lsn = max(lsn, w[id])
	}
	return lsn
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
