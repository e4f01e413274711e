package cosmos

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxRanges bounds how many partition-key ranges are remembered: together the tokens
// must fit into a header.
const maxRanges = 100

// tokens remembers how far this process has seen each partition-key range of a
// container, so that no later read of ours goes to a replica that is behind. azcosmos
// leaves this to its callers.
type tokens struct {
	mu     sync.Mutex
	ranges map[string]token // by range id
	header string           // all of them, as they are sent; "" after a change
}

// token is `version#globalLSN#region=localLSN…`, or a plain LSN.
type token struct {
	text         string
	version, lsn int64
}

// add takes the newer of what it has and what a response says: `range:token`, or
// several of these, comma-separated.
func (t *tokens) add(header string) {
	if header == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for part := range strings.SplitSeq(header, ",") {
		id, text, ok := strings.Cut(part, ":")
		if !ok {
			continue
		}
		next := parseToken(text)
		old, known := t.ranges[id]
		if known && !next.after(old) {
			continue
		}
		if !known && len(t.ranges) >= maxRanges {
			for other := range t.ranges { // the newest word counts: a barrier's must not be lost
				delete(t.ranges, other)
				break
			}
		}
		if t.ranges == nil {
			t.ranges = map[string]token{}
		}
		t.ranges[id] = next
		t.header = ""
	}
}

func parseToken(text string) token {
	t := token{text: text}
	version, rest, compound := strings.Cut(text, "#")
	if !compound {
		t.lsn, _ = strconv.ParseInt(text, 10, 64)
		return t
	}
	global, _, _ := strings.Cut(rest, "#")
	t.version, _ = strconv.ParseInt(version, 10, 64)
	t.lsn, _ = strconv.ParseInt(global, 10, 64)
	return t
}

// after compares by version first: it changes when the set of regions does.
func (t token) after(o token) bool {
	if t.version != o.version {
		return t.version > o.version
	}
	return t.lsn > o.lsn
}

// get returns the header to send, "" when nothing was seen yet.
func (t *tokens) get() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.header == "" && len(t.ranges) > 0 {
		var b strings.Builder
		for _, id := range slices.Sorted(maps.Keys(t.ranges)) {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(id + ":" + t.ranges[id].text)
		}
		t.header = b.String()
	}
	return t.header
}

// drop forgets everything: the container was made anew. A replica that lags is no reason:
// without tokens the next one that lags would deny what was seen here. Neither is a failover
// that lost something: the token of the next write has a higher version, and wins.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ranges, t.header = nil, ""
}
