package minicosmos

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// errCorrupt is returned when a stored record cannot be read; the store is damaged or
// was written by another version.
var errCorrupt = errors.New("corrupt record")

// record is a stored version of a document. It is immutable once committed.
type record struct {
	number   uint64 // place in the order of creation; stays through updates
	lsn      uint64 // of the transaction that wrote this version
	rng      uint16 // physical range it was written to; see layout.ofRecord
	modified int64  // _ts, Unix seconds
	epoch    uint32 // with version: the ETag, unique over the life of the store
	version  uint64
	ttl      int32    // the document's own ttl: 0 none, -1 never, else seconds
	expiry   int64    // Unix seconds at which it vanishes, 0 never
	pk       []byte   // partition key in stored form
	entries  [][]byte // index entries, in stored form
	unique   [][]byte // entries of the unique keys, in stored form
	body     []byte   // the user's JSON object without system properties
	id       string
}

const recordFormat = 2

// encode appends the record in stored form: fixed header, then length-prefixed parts.
func (r *record) encode() []byte {
	size := 64 + len(r.pk) + len(r.id) + len(r.body)
	for _, list := range [][][]byte{r.entries, r.unique} {
		for _, e := range list {
			size += 2 + len(e)
		}
	}
	b := append(make([]byte, 0, size), recordFormat)
	b = binary.BigEndian.AppendUint64(b, r.number)
	b = binary.BigEndian.AppendUint64(b, r.lsn)
	b = binary.BigEndian.AppendUint16(b, r.rng)
	b = binary.BigEndian.AppendUint64(b, uint64(r.modified))
	b = binary.BigEndian.AppendUint32(b, r.epoch)
	b = binary.BigEndian.AppendUint64(b, r.version)
	b = binary.BigEndian.AppendUint32(b, uint32(r.ttl))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiry))
	b = appendPart(appendPart(b, r.pk), []byte(r.id))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.entries)))
	for _, e := range r.entries {
		b = appendPart(b, e)
	}
	b = append(b, byte(len(r.unique)))
	for _, e := range r.unique {
		b = appendPart(b, e)
	}
	return append(b, r.body...)
}

func appendPart(b, part []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
}

// fixedHeader is the size of what precedes the parts.
const fixedHeader = 1 + 8 + 8 + 2 + 8 + 4 + 8 + 4 + 8

// decodeRecord reads a stored record; it keeps no part of b.
func decodeRecord(stored []byte) (*record, error) {
	if len(stored) < fixedHeader || stored[0] != recordFormat {
		return nil, errCorrupt
	}
	b := append([]byte(nil), stored...)
	r := &record{
		number:   binary.BigEndian.Uint64(b[1:]),
		lsn:      binary.BigEndian.Uint64(b[9:]),
		rng:      binary.BigEndian.Uint16(b[17:]),
		modified: int64(binary.BigEndian.Uint64(b[19:])),
		epoch:    binary.BigEndian.Uint32(b[27:]),
		version:  binary.BigEndian.Uint64(b[31:]),
		ttl:      int32(binary.BigEndian.Uint32(b[39:])),
		expiry:   int64(binary.BigEndian.Uint64(b[43:])),
	}
	rest, ok := b[fixedHeader:], true
	var id []byte
	if r.pk, rest, ok = cutPart(rest); !ok {
		return nil, errCorrupt
	}
	if id, rest, ok = cutPart(rest); !ok || len(rest) < 2 {
		return nil, errCorrupt
	}
	r.id = string(id)
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	for range n {
		var e []byte
		if e, rest, ok = cutPart(rest); !ok {
			return nil, errCorrupt
		}
		r.entries = append(r.entries, e)
	}
	if len(rest) == 0 {
		return nil, errCorrupt
	}
	n, rest = int(rest[0]), rest[1:]
	for range n {
		var e []byte
		if e, rest, ok = cutPart(rest); !ok {
			return nil, errCorrupt
		}
		r.unique = append(r.unique, e)
	}
	r.body = rest
	return r, nil
}

func cutPart(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, false
	}
	return b[2 : 2+n : 2+n], b[2+n:], true
}

// etag is the version's ETag with its quotes.
func (r *record) etag() string {
	return fmt.Sprintf(`"%08x-0000-0700-0000-%012x"`, r.epoch, r.version)
}

// expired tells whether the document has vanished by that time.
func (r *record) expired(now int64) bool { return r.expiry != 0 && now >= r.expiry }

// fill computes what the store keeps beside the body: id, ttl, partition key, entries.
func (r *record) fill(p *policy, doc sql.Value, pk partition.Key) {
	r.id, _ = doc.Get("id").Str()
	r.pk = pk.AppendStorage(nil)
	r.entries, r.unique = p.entries(doc), p.uniqueEntries(doc)
	r.body = doc.AppendJSON(nil)
}

// key is the record's partition key.
func (r *record) key(d *partition.Definition) (partition.Key, error) {
	doc, err := r.parse()
	if err != nil {
		return nil, err
	}
	return d.Extract(doc)
}
