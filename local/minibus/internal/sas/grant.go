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

// Allow says whether one of the claims has been granted for a path.
func (list Grants) Allow(path string, now int64, claims ...Claim) bool {
	for _, g := range list {
		if g.Until > now && covers(g.Scope, path) {
			for _, c := range claims {
				if g.Claims[c] || g.Claims[Manage] {
					return true
				}
			}
		}
	}
	return false
}

// covers: a token for a path is good for everything below it.
func covers(scope, path string) bool {
	return scope == "" || path == scope || strings.HasPrefix(path, scope+"/")
}
