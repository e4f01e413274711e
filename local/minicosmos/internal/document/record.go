package document

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// ErrCorrupt is returned when a stored record cannot be read; the store is damaged or
// was written by another version.
var ErrCorrupt = errors.New("corrupt record")

// Record is a stored version of a document. It is immutable once committed.
type Record struct {
	Number   uint64   // place in the order of creation; stays through updates
	LSN      uint64   // of the transaction that wrote this version
	Range    uint16   // physical range it was written to; see layout.Layout.OfRecord
	Modified int64    // _ts, Unix seconds
	Epoch    uint32   // with Version: the ETag, unique over the life of the store
	Version  uint64   // with Epoch
	TTL      int32    // the document's own ttl: 0 none, -1 never, else seconds
	Expiry   int64    // Unix seconds at which it vanishes, 0 never
	PK       []byte   // partition key in stored form
	Entries  [][]byte // index entries, in stored form
	Unique   [][]byte // entries of the unique keys, in stored form
	Body     []byte   // the user's JSON object without system properties
	ID       string   // unique in its logical partition
	Terms    *Terms   // what else the index has of it; nil: none, or not known. It is not part of what is stored
}

const recordFormat = 2

// encode appends the record in stored form: fixed header, then length-prefixed parts.
func (r *Record) encode() []byte {
	size := 64 + len(r.PK) + len(r.ID) + len(r.Body)
	for _, list := range [][][]byte{r.Entries, r.Unique} {
		for _, e := range list {
			size += 2 + len(e)
		}
	}
	b := append(make([]byte, 0, size), recordFormat)
	b = binary.BigEndian.AppendUint64(b, r.Number)
	b = binary.BigEndian.AppendUint64(b, r.LSN)
	b = binary.BigEndian.AppendUint16(b, r.Range)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Modified))
	b = binary.BigEndian.AppendUint32(b, r.Epoch)
	b = binary.BigEndian.AppendUint64(b, r.Version)
	b = binary.BigEndian.AppendUint32(b, uint32(r.TTL))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expiry))
	b = appendPart(appendPart(b, r.PK), []byte(r.ID))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Entries)))
	for _, e := range r.Entries {
		b = appendPart(b, e)
	}
	b = append(b, byte(len(r.Unique)))
	for _, e := range r.Unique {
		b = appendPart(b, e)
	}
	return append(b, r.Body...)
}

func appendPart(b, part []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
}

// fixedHeader is the size of what precedes the parts.
const fixedHeader = 1 + 8 + 8 + 2 + 8 + 4 + 8 + 4 + 8

// Decode reads a stored record; it keeps no part of b.
func Decode(stored []byte) (*Record, error) {
	if len(stored) < fixedHeader || stored[0] != recordFormat {
		return nil, ErrCorrupt
	}
	b := append([]byte(nil), stored...)
	r := &Record{
		Number:   binary.BigEndian.Uint64(b[1:]),
		LSN:      binary.BigEndian.Uint64(b[9:]),
		Range:    binary.BigEndian.Uint16(b[17:]),
		Modified: int64(binary.BigEndian.Uint64(b[19:])),
		Epoch:    binary.BigEndian.Uint32(b[27:]),
		Version:  binary.BigEndian.Uint64(b[31:]),
		TTL:      int32(binary.BigEndian.Uint32(b[39:])),
		Expiry:   int64(binary.BigEndian.Uint64(b[43:])),
	}
	var (
		rest = b[fixedHeader:]
		id   []byte
		ok   bool
	)
	if r.PK, rest, ok = cutPart(rest); !ok {
		return nil, ErrCorrupt
	}
	if id, rest, ok = cutPart(rest); !ok || len(rest) < 2 {
		return nil, ErrCorrupt
	}
	r.ID = string(id)
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	for range n {
		var e []byte
		if e, rest, ok = cutPart(rest); !ok {
			return nil, ErrCorrupt
		}
		r.Entries = append(r.Entries, e)
	}
	if len(rest) == 0 {
		return nil, ErrCorrupt
	}
	n, rest = int(rest[0]), rest[1:]
	for range n {
		var e []byte
		if e, rest, ok = cutPart(rest); !ok {
			return nil, ErrCorrupt
		}
		r.Unique = append(r.Unique, e)
	}
	r.Body = rest
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

// Indexed is how many of the document's values are indexed, as far as that is known.
func (r *Record) Indexed() int {
	if r.Terms != nil {
		return r.Terms.Values
	}
	return len(r.Entries)
}

// ETag is the version's ETag with its quotes.
func (r *Record) ETag() string {
	return fmt.Sprintf(`"%08x-0000-0700-0000-%012x"`, r.Epoch, r.Version)
}

// Expired tells whether the document has vanished by that time.
func (r *Record) Expired(now int64) bool { return r.Expiry != 0 && now >= r.Expiry }

// Fill computes what the store keeps beside the body: id, ttl, partition key, entries.
func (r *Record) Fill(p *Policy, doc sql.Value, pk partition.Key) {
	id, _ := doc.Get("id").Str()
	r.ID = strings.Clone(id) // it is part of the request's text
	r.PK = pk.AppendStorage(nil)
	r.Entries, r.Unique = p.Entries(doc), p.UniqueEntries(doc)
	r.Body = doc.AppendJSON(nil)
	p.index(r, doc)
}

// PartitionKey is the record's partition key.
func (r *Record) PartitionKey(d *partition.Definition) (partition.Key, error) {
	doc, err := r.parse()
	if err != nil {
		return nil, err
	}
	return d.Extract(doc)
}
