package request

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/outbox"
)

// Conditions are the If-Match and If-None-Match of a request (RFC 9110 §13.1).
type Conditions struct {
	match, noneMatch *tags // nil: the header is not there
}

// tags is a list of entity tags, or any of them.
type tags struct {
	any  bool
	list []tag
}

type tag struct {
	weak   bool
	opaque string // without the quotes
}

// ParseConditions reads the conditions of a request. A header that is no list of
// entity tags is a problem: ignoring it would write what the client wanted to guard.
func ParseConditions(h http.Header) (c Conditions, err error) {
	if c.match, err = parseHeader(h, "If-Match"); err != nil {
		return c, err
	}
	c.noneMatch, err = parseHeader(h, "If-None-Match")
	return c, err
}

// Met returns nil when e meets the conditions, else a problem.
func (c Conditions) Met(e outbox.Entity) error {
	switch {
	case c.match != nil && !c.match.strong(e):
		return problem.New(problem.Precondition, "If-Match does not allow %s.", describe(e))
	case c.Known(e):
		return problem.New(problem.Precondition, "If-None-Match does not allow %s.", describe(e))
	}
	return nil
}

// MetForRead is Met without If-None-Match, which does not forbid a read.
func (c Conditions) MetForRead(e outbox.Entity) error {
	return Conditions{match: c.match}.Met(e)
}

// Known says whether If-None-Match names the version of e: the client has it already.
func (c Conditions) Known(e outbox.Entity) bool {
	return c.noneMatch != nil && c.noneMatch.weak(e)
}

// Ahead says whether the client names a version that may be newer than e: of a tag of another
// incarnation nobody knows. What is no tag of ours names none.
func (c Conditions) Ahead(e outbox.Entity) bool { return c.match.ahead(e) || c.noneMatch.ahead(e) }

func (t *tags) ahead(e outbox.Entity) bool {
	if t == nil {
		return false
	}
	return slices.ContainsFunc(t.list, func(named tag) bool {
		number, life, ours := strings.Cut(named.opaque, "-")
		version, err := strconv.ParseInt(number, 10, 64)
		return ours && err == nil && (life != e.Incarnation.ID || version > e.Version)
	})
}

// strong is the comparison of If-Match: weak tags never match (RFC 9110 §8.8.3.2).
func (t *tags) strong(e outbox.Entity) bool { return t.matches(e, false) }

func (t *tags) weak(e outbox.Entity) bool { return t.matches(e, true) }

func (t *tags) matches(e outbox.Entity, weak bool) bool {
	if !Exists(e) {
		return false
	}
	for _, candidate := range t.list {
		if (weak || !candidate.weak) && `"`+candidate.opaque+`"` == Tag(e) {
			return true
		}
	}
	return t.any
}

// Freshness is how new the answer of a read has to be, as Cache-Control says (RFC 9111 §5.2.1).
type Freshness struct {
	// Current: no-cache. The client does not want what a replica or a cache has kept.
	Current bool
	// MaxAge is how old the answer may be, the smallest that is named; 0 for as new as any read is.
	MaxAge time.Duration
}

// maxAge is above all that anybody can mean, and far below what a Duration holds.
const maxAge = 366 * 24 * time.Hour

// FreshnessOf reads Cache-Control. What cannot be read is left out: it is advice, and the answer is new
// without it.
func FreshnessOf(h http.Header) (f Freshness) {
	aged := false
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.Trim(directive, " \t"), "=")
			switch {
			case strings.EqualFold(name, "no-cache"):
				f.Current = true
			case strings.EqualFold(name, "max-age"):
				age, ok := secondsOf(value)
				if ok && (!aged || age < f.MaxAge) {
					f.MaxAge, aged = age, true
				}
			}
		}
	}
	return f
}

// secondsOf reads delta-seconds, which may be quoted: senders should not, recipients must not mind
// (RFC 9111 §5.2).
func secondsOf(s string) (time.Duration, bool) {
	if n := len(s); n > 1 && s[0] == '"' && s[n-1] == '"' {
		s = s[1 : n-1]
	}
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(maxAge/time.Second) { // too large to count
		return maxAge, true
	}
	return time.Duration(n) * time.Second, true
}

// Tag is the entity tag of a version: strong, and another one for every change that ever
// was, because versions begin again only with another incarnation.
func Tag(e outbox.Entity) string {
	return `"` + strconv.FormatInt(e.Version, 10) + "-" + e.Incarnation.ID + `"`
}

// Exists says whether there is something at e: neither nothing nor a tombstone.
func Exists(e outbox.Entity) bool { return e.Version > 0 && !e.Deleted }

func parseHeader(h http.Header, name string) (*tags, error) {
	lines := h.Values(name)
	if len(lines) == 0 {
		return nil, nil
	}
	t, ok := parseTags(strings.Join(lines, ","))
	if !ok {
		p := problem.New(problem.BadHeader, `%s must be * or a list of entity tags in quotes, as the header ETag gives them.`, name)
		p.Header = name
		return nil, p
	}
	return t, nil
}

// parseTags reads * or 1#entity-tag. Tags may hold commas; empty elements are legal
// (RFC 9110 §5.6.1.2).
func parseTags(s string) (*tags, bool) {
	if strings.Trim(s, " \t") == "*" {
		return &tags{any: true}, true
	}
	t := &tags{}
	for {
		if s = strings.TrimLeft(s, " \t,"); s == "" {
			return t, len(t.list) > 0
		}
		rest, weak := strings.CutPrefix(s, "W/")
		rest, quoted := strings.CutPrefix(rest, `"`)
		opaque, rest, closed := strings.Cut(rest, `"`)
		if !quoted || !closed || strings.ContainsFunc(opaque, notInTag) {
			return nil, false
		}
		t.list = append(t.list, tag{weak, opaque})
		if s = strings.TrimLeft(rest, " \t"); s != "" && s[0] != ',' {
			return nil, false
		}
	}
}

func notInTag(r rune) bool { return r <= ' ' || r == 0x7f }

func describe(e outbox.Entity) string {
	if !Exists(e) {
		return "something that does not exist"
	}
	return "the version " + Tag(e)
}
