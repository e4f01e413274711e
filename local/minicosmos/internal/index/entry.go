package index

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// An entry that is longer than a bound keeps its beginning, and a hash for equality. Entries of named paths keep more: they
// were there first, and are few.
const (
	maxEntry = 72
	maxNamed = 128
	hashSize = 10
)

// cut is what is kept of an entry that is too long, by the length of its path.
func cut(pathSize int) int {
	if pathSize == PathSize {
		return maxEntry - hashSize
	}
	return maxNamed - hashSize
}

// Marks of values that are not scalars come after those of package partition: of an array or object only its kind is known.
const (
	markNull   = 2
	markBool   = 3
	markNumber = 5
	markString = 6
	markArray  = 7
	markObject = 8
)

// AppendEntry appends an entry of a path, which is given in the form that it has in entries.
func AppendEntry(dst, path []byte, v sql.Value) []byte {
	start := len(dst)
	dst = appendValue(append(dst, path...), v)
	return append(dst[:start], bound(dst[start:], cut(len(path)))...)
}

func appendValue(dst []byte, v sql.Value) []byte {
	switch v.Kind() {
	case sql.Array:
		return append(dst, markArray)
	case sql.Object:
		return append(dst, markObject)
	}
	return partition.AppendScalar(dst, v)
}

// Bound returns an entry that is no one path's with a hash in place of what is too long.
func Bound(entry []byte) []byte { return bound(entry, maxNamed-hashSize) }

func bound(entry []byte, cut int) []byte {
	if len(entry) <= cut+hashSize {
		return entry
	}
	sum := fnv.New64a()
	_, _ = sum.Write(entry) // a hash never fails
	return append(binary.BigEndian.AppendUint64(entry[:cut], sum.Sum64()), 0, 0)
}

// Exact tells whether an entry is in its place among all others: what is cut is only known to lie among those that begin
// alike, and of arrays and objects the order is not known. pathSize is the length of its path.
func Exact(entry []byte, pathSize int) bool {
	return len(entry) <= cut(pathSize) && entry[pathSize] < markArray
}

// Start is what an entry has in common with those that it cannot be told from in order.
func Start(entry []byte, pathSize int) []byte { return entry[:min(len(entry), cut(pathSize))] }
