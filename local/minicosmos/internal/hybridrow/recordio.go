package hybridrow

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
)

// The rows that a stream is made of, beside its records: a segment begins it, and each record has a row before it.
var (
	segment = NewLayout(2147473648, Column{Name: "length", Type: Int32}) // and sparse columns, which are passed over
	record  = NewLayout(2147473649, Column{Name: "length", Type: Int32, Always: true}, Column{Name: "crc32", Type: Uint32, Always: true})
)

// What is wrong with a stream.
var (
	errSegment = errors.New("a stream does not begin with a segment")
	errSum     = errors.New("a record is not what was written")
)

// IsStream tells whether bytes look like a stream and not like JSON.
func IsStream(b []byte) bool { return len(b) > 0 && b[0] == version }

// AppendSegment begins a stream.
func AppendSegment(b []byte) []byte {
	r := segment.Row()
	r.SetUint32(0, uint32(header+segment.size))
	return segment.Append(b, r)
}

// AppendRecord appends a row of a layout to a stream.
func AppendRecord(b []byte, l *Layout, r Row) []byte {
	start := len(b)
	b = record.Append(b, record.Row())
	body := len(b)
	b = l.Append(b, r)
	binary.LittleEndian.PutUint32(b[start+header:], uint32(len(b)-body))
	binary.LittleEndian.PutUint32(b[start+header+4:], crc32.ChecksumIEEE(b[body:]))
	return b
}

// Records are the records of a stream, and the fault that ends it.
func Records(b []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		rest, err := afterSegment(b)
		for err == nil && len(rest) > 0 {
			if _, other := segment.head(rest); other == nil {
				rest, err = afterSegment(rest)
				continue
			}
			var body []byte
			if body, rest, err = next(rest); err == nil && !yield(body, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// afterSegment passes over the row that begins a segment, comment and schema included.
func afterSegment(b []byte) ([]byte, error) {
	behind, err := segment.head(b)
	if err != nil {
		return nil, errSegment
	}
	if len(behind) < segment.size {
		return nil, errShort
	}
	length := binary.LittleEndian.Uint32(behind[1:])
	if behind[0]&1 == 0 || length < uint32(header+segment.size) {
		return nil, errSegment
	}
	if uint64(length) > uint64(len(b)) {
		return nil, errShort
	}
	return b[length:], nil
}

// next reads a record and checks it.
func next(b []byte) (body, rest []byte, err error) {
	behind, err := record.head(b)
	if err != nil {
		return nil, nil, err
	}
	if len(behind) < record.size {
		return nil, nil, errShort
	}
	length, sum := binary.LittleEndian.Uint32(behind), binary.LittleEndian.Uint32(behind[4:])
	behind = behind[record.size:]
	if uint64(length) > uint64(len(behind)) {
		return nil, nil, errShort
	}
	body = behind[:length:length]
	if crc32.ChecksumIEEE(body) != sum {
		return nil, nil, errSum
	}
	return body, behind[length:], nil
}
