package request

import (
	"net/http"
	"strconv"
	"strings"

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

// Current says whether Cache-Control has no-cache: the client does not want what a replica or
// a cache has kept (RFC 9111 §5.2.1.4).
func Current(h http.Header) bool {
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(directive, " \t"), "no-cache") {
				return true
			}
		}
	}
	return false
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
