package document

import (
	"errors"
	"math"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

var errTTL = errors.New("must be -1 or a positive number of seconds")

// parseTTL reads a time to live as documents and containers spell it.
func parseTTL(v sql.Value) (int32, error) {
	n, ok := v.Number()
	if !ok || n != math.Trunc(n) || n == 0 || n < -1 || n > math.MaxInt32 {
		return 0, errTTL
	}
	return int32(n), nil
}

// TTL reads a document's own ttl, 0 for none.
func TTL(doc sql.Value) (int32, error) {
	ttl := doc.Get("ttl")
	if ttl.Kind() <= sql.Null {
		return 0, nil
	}
	return parseTTL(ttl)
}
