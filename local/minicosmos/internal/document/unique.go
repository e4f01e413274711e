package document

import (
	"encoding/binary"
	"fmt"

	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// A unique key is a set of paths whose values no two documents of a logical partition may share. A missing value counts
// as null: at most one document may lack all of them.

// The service's limits of a unique key policy.
const (
	maxUniqueKeys  = 10
	maxUniquePaths = 16
)

// uniqueKeys reads uniqueKeyPolicy: for each key its paths.
func uniqueKeys(properties sql.Value) (keys [][][]string, err error) {
	list := properties.Get("uniqueKeyPolicy").Get("uniqueKeys")
	if len(list.Items()) > maxUniqueKeys {
		return nil, fmt.Errorf("uniqueKeyPolicy has %d unique keys: at most %d are possible", len(list.Items()), maxUniqueKeys)
	}
	for _, item := range list.Items() {
		var paths [][]string
		for _, p := range item.Get("paths").Items() {
			path, _ := p.Str()
			segments, err := partition.Path(path)
			if err != nil {
				return nil, fmt.Errorf("uniqueKeyPolicy has the path %s: a path is /property or /property/property", p)
			}
			paths = append(paths, segments)
		}
		if len(paths) == 0 || len(paths) > maxUniquePaths {
			return nil, fmt.Errorf("uniqueKeyPolicy has a key of %d paths: 1 to %d are possible", len(paths), maxUniquePaths)
		}
		keys = append(keys, paths)
	}
	return keys, nil
}

// UniqueEntries are a document's entries, one per unique key.
func (p *Policy) UniqueEntries(doc sql.Value) [][]byte {
	entries := make([][]byte, len(p.unique))
	for i, paths := range p.unique {
		e := binary.BigEndian.AppendUint16(nil, uint16(i))
		for _, path := range paths {
			v := doc.Path(path)
			switch {
			case !v.IsDefined():
				v = sql.NullOf()
			case v.Kind() > sql.String: // arrays and objects are compared as they are written
				v = sql.StringOf("\x00" + v.String())
			}
			e = partition.AppendScalar(e, v)
		}
		entries[i] = index.Bound(e)
	}
	return entries
}
