package document

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
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
//	c 'x' path, value, number              index over the whole container
//	c 'y' partition key, path, value, number   index inside a logical partition
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

// maxIndexedBytes bounds an index entry; longer values are told apart by a hash.
const maxIndexedBytes = 128

// IndexEntry is the part of an index key that stands for a path and a scalar at it.
func IndexEntry(path uint16, v sql.Value) []byte {
	entry := partition.AppendScalar(binary.BigEndian.AppendUint16(nil, path), v)
	return bounded(entry)
}

// bounded returns an entry with a hash in place of what is too long.
func bounded(entry []byte) []byte {
	if len(entry) <= maxIndexedBytes {
		return entry
	}
	sum := fnv.New64a()
	_, _ = sum.Write(entry) // a hash never fails
	return append(binary.BigEndian.AppendUint64(entry[:maxIndexedBytes-10], sum.Sum64()), 0, 0)
}

// LastNumber is the document number at the end of a key.
func LastNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
