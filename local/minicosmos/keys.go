package minicosmos

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
	kindUnique   = 'u'
	kindDocument = 'd'
	kindLocator  = 'k'
	kindExpiry   = 'e'
	kindChange   = 'f'
	kindIndex    = 'x'
	kindKeyIndex = 'y'
)

func key(owner uint32, kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 64), owner), kind)
}

func documentKey(owner uint32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(key(owner, kindDocument), number)
}

func locatorPrefix(owner uint32, pk []byte) []byte {
	return append(key(owner, kindLocator), pk...)
}

func locatorKey(owner uint32, pk []byte, id string) []byte {
	return append(locatorPrefix(owner, pk), id...)
}

// changePrefix is where the changes of a physical range stand in order.
func changePrefix(owner uint32, rng int) []byte {
	return binary.BigEndian.AppendUint16(key(owner, kindChange), uint16(rng))
}

func changeKey(owner uint32, rng uint16, lsn, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(changePrefix(owner, int(rng)), lsn), number)
}

func uniqueKey(owner uint32, pk, entry []byte) []byte {
	return append(append(key(owner, kindUnique), pk...), entry...)
}

func expiryKey(owner uint32, at int64, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(key(owner, kindExpiry), uint64(at)), number)
}

// indexPrefix is where the entries of one indexed value stand; a nil pk is the whole container.
func indexPrefix(owner uint32, pk, entry []byte) []byte {
	if pk == nil {
		return append(key(owner, kindIndex), entry...)
	}
	return append(append(key(owner, kindKeyIndex), pk...), entry...)
}

// maxIndexedBytes bounds an index entry; longer values are told apart by a hash.
const maxIndexedBytes = 128

// indexEntry is the part of an index key that stands for a path and a scalar at it.
func indexEntry(path uint16, v sql.Value) []byte {
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

// lastNumber is the document number at the end of a key.
func lastNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
