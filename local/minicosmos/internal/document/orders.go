package document

import (
	"errors"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// What the service can order by is what its index has: an included path, or a composite index over all of them.
var (
	ErrOrderExcluded  = errors.New("The index path corresponding to the specified order-by item is excluded.")                     //nolint:staticcheck // the service's text
	ErrOrderComposite = errors.New("The order by query does not have a corresponding composite index that it can be served from.") //nolint:staticcheck // the service's text
)

// orders is what an index policy says of ORDER BY.
type orders struct {
	paths      *index.Paths
	composites [][]sql.OrderPath
	none       bool // there is no index
}

func readOrders(policy sql.Value) (o orders) {
	mode, _ := policy.Get("indexingMode").Str()
	o.none = mode == "none"
	read := func(list sql.Value) (paths [][]string) {
		for _, item := range list.Items() {
			text, _ := item.Get("path").Str()
			if path, err := partition.Path(text, "*", "?", "[]"); err == nil {
				paths = append(paths, path)
			}
		}
		return paths
	}
	o.paths = index.NewPaths(read(policy.Get("includedPaths")), read(policy.Get("excludedPaths")))
	for _, composite := range policy.Get("compositeIndexes").Items() {
		var keys []sql.OrderPath
		for _, item := range composite.Items() {
			var key sql.OrderPath
			for i, name := range item.Names() { // the path, and its direction
				text, _ := item.Items()[i].Str()
				if name != "path" {
					key.Descending = strings.EqualFold(text, "descending")
				} else if path, err := partition.Path(text); err == nil {
					key.Path = path
				}
			}
			keys = append(keys, key)
		}
		o.composites = append(o.composites, keys)
	}
	return o
}

// CanOrder tells whether the index can serve ORDER BY: nil, ErrOrderExcluded or ErrOrderComposite.
func (p *Policy) CanOrder(keys []sql.OrderPath) error {
	switch {
	case len(keys) == 1 && !p.orders.includes(keys[0].Path):
		return ErrOrderExcluded
	case len(keys) > 1 && !slices.ContainsFunc(p.orders.composites, func(composite []sql.OrderPath) bool { return serves(composite, keys) }):
		return ErrOrderComposite
	}
	return nil
}

// serves tells whether a composite index is in the order that is asked for, forwards or backwards.
func serves(composite, keys []sql.OrderPath) bool {
	ok, _ := index.Orders(composite, keys)
	return ok
}

// includes tells whether the value at a path is indexed.
func (o *orders) includes(path []string) bool {
	if len(path) == 1 && (path[0] == "id" || path[0] == "_ts") {
		return true
	}
	return !o.none && o.paths.Include(path)
}
