package sas

import (
	"slices"
	"strings"
)

// Grant is what a token has given to a connection.
type Grant struct {
	Scope  string // path in lower case; "" is the namespace
	Claims map[Claim]bool
	Until  int64 // Unix milliseconds
	entity bool  // a key of an entity has given it: entities whose names go on from that one's are none of its
}

// Grants are those of one connection.
type Grants []Grant

const maxGrants = 1000

// Add takes a grant in, in the place of an earlier one for the same scope. It reports whether there was room.
func (list *Grants) Add(g Grant, now int64) bool {
	*list = slices.DeleteFunc(*list, func(old Grant) bool { return old.Scope == g.Scope || old.Until <= now })
	if len(*list) >= maxGrants {
		return false
	}
	*list = append(*list, g)
	return true
}

// NextEnd is when the next of them ends, or 0.
func (list Grants) NextEnd(now int64) int64 {
	next := int64(0)
	for _, g := range list {
		if g.Until > now && (next == 0 || g.Until < next) {
			next = g.Until
		}
	}
	return next
}

// Allow says whether one of the claims has been granted for a path.
func (list Grants) Allow(path string, now int64, claims ...Claim) bool {
	for _, g := range list {
		if g.Until > now && g.reaches(path) {
			for _, c := range claims {
				if g.Claims[c] || g.Claims[Manage] {
					return true
				}
			}
		}
	}
	return false
}

func (g Grant) reaches(path string) bool {
	if !g.entity {
		return covers(g.Scope, path)
	}
	rest, below := strings.CutPrefix(path, g.Scope)
	return below && (rest == "" || strings.HasPrefix(rest, "/$") || strings.HasPrefix(rest, "/subscriptions/"))
}

// covers: a token for a path is good for everything below it.
func covers(scope, path string) bool {
	return scope == "" || path == scope || strings.HasPrefix(path, scope+"/")
}
