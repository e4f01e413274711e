package query

import (
	"bytes"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Part is the part of the key space that a request's headers select.
type Part struct {
	ID   int              // of a physical range, -1: all
	Keys *partition.Range // effective partition keys, nil: all
}

// Scope is the part of a container that a query looks at.
type Scope struct {
	Part
	Key partition.Key // of a logical partition or, with fewer values, of several; nil: all
}

// holds tells whether a document has the scope's key.
func (sc Scope) holds(r *document.Record) bool {
	return sc.Key == nil || bytes.HasPrefix(r.PK, sc.Key.AppendStorage(nil))
}

// PinnedKey is the partition key that WHERE demands, nil if it leaves it open.
func PinnedKey(c *account.Container, q *sql.Query, params []sql.Param) partition.Key {
	var key partition.Key
	filter := q.Filter(params)
	for _, path := range c.PK.Segments() {
		v := filter.Pinned(path)
		if !v.IsDefined() {
			return nil
		}
		key = append(key, v)
	}
	return key
}
