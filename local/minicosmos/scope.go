package minicosmos

import (
	"bytes"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// part is the part of the key space that a request's headers select.
type part struct {
	id   int              // of a physical range, -1: all
	keys *partition.Range // effective partition keys, nil: all
}

// scope is the part of a container that a query looks at.
type scope struct {
	part
	key partition.Key // of a logical partition or, with fewer values, of several; nil: all
}

// holds tells whether a document has the scope's key.
func (sc scope) holds(r *record) bool {
	return sc.key == nil || bytes.HasPrefix(r.pk, sc.key.AppendStorage(nil))
}

// pinnedKey is the partition key that WHERE demands, nil if it leaves it open.
func pinnedKey(c *container, q *sql.Query, params []sql.Param) partition.Key {
	var key partition.Key
	for _, path := range c.pk.Segments() {
		v := q.Pinned(params, path)
		if !v.IsDefined() {
			return nil
		}
		key = append(key, v)
	}
	return key
}
