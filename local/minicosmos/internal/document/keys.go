package document

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Every key starts with four bytes: a container's number, or 0 for what belongs to the
// account (whose kinds package account has). So dropping a container is dropping one range of keys.
//
//	c 'd' number                           document (record)
//	c 'k' partition key, id                its number
//	c 'e' expiry, number                   documents that will expire
//	c 'f' range, LSN, number               the last change of a document
//	c 'u' partition key, unique key, values  number of the document that has them
//	c 'x' path, value, number              index over the whole container, of paths that the policy names
//	c 'y' partition key, path, value, number   the same inside a logical partition
//	c 'i'                                  which policy the index is of, and how far that of all other paths is built
//	c 't' path, value, number              that index; each value is the document's place in the key space
//	c 'm' form, number                     documents by the set of their paths
//	c 'M' form                             those paths
//	c 'o' index, values, number            composite indexes
//
// Documents are numbered in order of creation, which is the order that a query without
// ORDER BY returns them in.
const (
	KindUnique   = 'u'
	KindDocument = 'd'
	KindLocator  = 'k'
	KindExpiry   = 'e'
	KindChange   = 'f'
	KindIndex    = 'x'
	KindKeyIndex = 'y'

	KindIndexState = 'i'
	KindTerm       = 't'
	KindForm       = 'm'
	KindFormPaths  = 'M'
	KindComposite  = 'o'
)

// Key begins every key of an owner and a kind.
func Key(owner uint32, kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 64), owner), kind)
}

// RecordKey is where a document stands.
func RecordKey(owner uint32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(Key(owner, KindDocument), number)
}

// LocatorPrefix is where the ids of a logical partition stand in order.
func LocatorPrefix(owner uint32, pk []byte) []byte {
	return append(Key(owner, KindLocator), pk...)
}

// LocatorKey is where the number of an id stands.
func LocatorKey(owner uint32, pk []byte, id string) []byte {
	return append(LocatorPrefix(owner, pk), id...)
}

// ChangePrefix is where the changes of a physical range stand in order.
func ChangePrefix(owner uint32, rng int) []byte {
	return binary.BigEndian.AppendUint16(Key(owner, KindChange), uint16(rng))
}

// ChangeKey is where a change stands.
func ChangeKey(owner uint32, rng uint16, lsn, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(ChangePrefix(owner, int(rng)), lsn), number)
}

// UniqueKey is where the holder of a unique key's values stands.
func UniqueKey(owner uint32, pk, entry []byte) []byte {
	return append(append(Key(owner, KindUnique), pk...), entry...)
}

func expiryKey(owner uint32, at int64, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(Key(owner, KindExpiry), uint64(at)), number)
}

// IndexPrefix is where the entries of one indexed value stand; a nil pk is the whole container.
func IndexPrefix(owner uint32, pk, entry []byte) []byte {
	if pk == nil {
		return append(Key(owner, KindIndex), entry...)
	}
	return append(append(Key(owner, KindKeyIndex), pk...), entry...)
}

// IndexEntry is the part of an index key that stands for a path that the policy names and a scalar at it.
func IndexEntry(path uint16, v sql.Value) []byte {
	return index.AppendEntry(nil, NamedPath(path), v)
}

// NamedPath is a path that the policy names in the form that it has in keys.
func NamedPath(path uint16) []byte { return binary.BigEndian.AppendUint16(nil, path) }

// LastNumber is the document number at the end of a key.
func LastNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
