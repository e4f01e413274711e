package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// StatusError is a request that the server itself refuses, as its status.
type StatusError int

// Error names the status.
func (e StatusError) Error() string { return "refused with status " + strconv.Itoa(int(e)) }

// ErrMalformedHead: what arrived is no HTTP.
var ErrMalformedHead = errors.New("malformed HTTP head")

// ReadHead reads a start line and its header lines up to the empty line. The
// strings share one copy of the bytes.
func ReadHead(r *bufio.Reader, buf []byte, limit int) (line string, fs Fields, _ []byte, err error) {
	buf = buf[:0]
	for {
		part, err := r.ReadSlice('\n')
		buf = append(buf, part...)
		if len(buf) > limit {
			return "", nil, buf, StatusError(431)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			if len(buf) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", nil, buf, err
		}
		if len(bytes.TrimSpace(buf)) == 0 {
			buf = buf[:0] // empty lines before a start line
		} else if bytes.HasSuffix(buf, []byte("\n\r\n")) || bytes.HasSuffix(buf, []byte("\n\n")) {
			break
		}
	}
	text := string(buf)
	line, text, _ = strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	fs, err = parseFields(text)
	return line, fs, buf, err
}

func parseFields(text string) (Fields, error) {
	fs := make(Fields, 0, 16)
	for {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			return fs, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || !Token(name) {
			return nil, fmt.Errorf("%w: %.80q", ErrMalformedHead, line)
		}
		if len(fs) == maxFields {
			return nil, StatusError(431)
		}
		fs = append(fs, Field{name, strings.Trim(value, " \t")})
	}
}
