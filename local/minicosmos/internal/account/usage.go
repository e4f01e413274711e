package account

import (
	"errors"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// Usage counts what a container holds: documents, and bytes of their bodies. It looks at each.
func (a *Account) Usage(c *Container) (documents, size int, err error) {
	v, now := a.store.Acquire(), now()
	err = v.Scan(document.Key(c.Number, document.KindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err == nil && !r.Expired(now) {
			documents++
			size += len(r.Body)
		}
		return true, err
	})
	return documents, size, errors.Join(err, v.Release())
}
