package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markName is a file beside the store's own, which Pebble leaves alone.
const markName = "ACKNOWLEDGED"

// mark is what was acknowledged: how many changes since the store was first opened by a version that counts, or since a loss was
// accepted, and when the last.
type mark struct {
	changes uint64
	at      time.Time
}

const markBytes = 24

func (m mark) bytes() (b [markBytes]byte) {
	copy(b[:4], "ack1")
	binary.BigEndian.PutUint64(b[4:], m.changes)
	binary.BigEndian.PutUint64(b[12:], uint64(m.at.UnixMilli()))
	binary.BigEndian.PutUint32(b[20:], crc32.ChecksumIEEE(b[:20]))
	return b
}

// errMark: the file is there, and is none.
var errMark = errors.New("not what was written")

// readMark returns a mark without changes when there is no file.
func readMark(fs vfs.FS, name string) (mark, error) {
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	var b [markBytes]byte
	if n, err := f.ReadAt(b[:], 0); n < len(b) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errMark
		}
		return mark{}, fmt.Errorf("%s: %w", name, err)
	}
	m := mark{binary.BigEndian.Uint64(b[4:]), time.UnixMilli(int64(binary.BigEndian.Uint64(b[12:])))}
	if m.bytes() != b {
		return mark{}, fmt.Errorf("%s: %w", name, errMark)
	}
	return m, nil
}
