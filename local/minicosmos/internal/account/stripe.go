package account

import (
	"bytes"
	"slices"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// stripe is the lock of some partition keys. Whoever writes to one of them holds it from what it reads until its commit
// is visible, so what the last writers left can be kept beside it and needs no look at the store.
type stripe struct {
	sync.Mutex
	recent [recentDocuments]*document.Record // as stored, the newest first; nil: none
}

// What is kept of a stripe: of a container some megabytes at the most.
const (
	recentDocuments = 4
	recentBytes     = 2 << 10 // larger ones are not kept
)

// find returns a document as it is stored, nil if it is not known here.
func (s *stripe) find(pk []byte, id string) *document.Record {
	for _, r := range s.recent {
		if r != nil && r.ID == id && bytes.Equal(r.PK, pk) {
			return r
		}
	}
	return nil
}

// keep puts a stored document first, in the place of its last version, of one that is gone, or of the one that was not
// written for longest.
func (s *stripe) keep(r *document.Record) {
	at := s.index(r.Number)
	if at < 0 {
		at = slices.Index(s.recent[:], nil)
	}
	if at < 0 {
		at = recentDocuments - 1
	}
	copy(s.recent[1:at+1], s.recent[:at])
	if s.recent[0] = r; len(r.Body) > recentBytes {
		s.recent[0] = nil
	}
}

// forget drops what is known of a document.
func (s *stripe) forget(number uint64) {
	if at := s.index(number); at >= 0 {
		s.recent[at] = nil
	}
}

func (s *stripe) index(number uint64) int {
	return slices.IndexFunc(s.recent[:], func(r *document.Record) bool { return r != nil && r.Number == number })
}
