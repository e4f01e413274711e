package minihost

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// HTTP/1.1 as bytes. net/http would change the case of header names, drop
// hop-by-hop headers and refuse what the real host lets through.

// field is one header line, its name as sent.
type field struct{ name, value string }

type fields []field

func (f fields) get(name string) (string, bool) {
	for i := range f {
		if strings.EqualFold(f[i].name, name) {
			return f[i].value, true
		}
	}
	return "", false
}

func (f fields) has(name string) bool {
	_, ok := f.get(name)
	return ok
}

// tokens reports whether a comma-separated header holds a token.
func (f fields) token(name, token string) bool {
	for i := range f {
		if !strings.EqualFold(f[i].name, name) {
			continue
		}
		for part := range strings.SplitSeq(f[i].value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Limits of the real host's web server.
const (
	maxHead   = 32 << 10
	maxTarget = 8 << 10
	maxFields = 100
	maxBody   = 104857600 // FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
)

// statusError is a request that the server itself refuses, as its status.
type statusError int

func (e statusError) Error() string { return "refused with status " + strconv.Itoa(int(e)) }

var errMalformedHead = errors.New("malformed HTTP head")

// readHead reads a start line and its header lines up to the empty line. The
// strings share one copy of the bytes.
func readHead(r *bufio.Reader, buf []byte, limit int) (line string, fs fields, _ []byte, err error) {
	buf = buf[:0]
	for {
		part, err := r.ReadSlice('\n')
		buf = append(buf, part...)
		if len(buf) > limit {
			return "", nil, buf, statusError(431)
		}
		if err == bufio.ErrBufferFull {
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

func parseFields(text string) (fields, error) {
	fs := make(fields, 0, 16)
	for {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			return fs, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || !token(name) {
			return nil, fmt.Errorf("%w: %.80q", errMalformedHead, line)
		}
		if len(fs) == maxFields {
			return nil, statusError(431)
		}
		fs = append(fs, field{name, strings.Trim(value, " \t")})
	}
}

// token reports whether s is an RFC 9110 token.
func token(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// readChunked reads a chunked body and its trailers.
func readChunked(r *bufio.Reader, limit int64) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, unexpected(err)
		}
		size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("%w: chunk size %.20q", errMalformedHead, size)
		}
		if int64(body.Len())+int64(n) > limit {
			return nil, statusError(413)
		}
		if n == 0 {
			return body.Bytes(), skipTrailers(r)
		}
		if _, err := io.CopyN(&body, r, int64(n)); err != nil {
			return nil, unexpected(err)
		}
		if line, err = r.ReadSlice('\n'); err != nil || len(bytes.TrimSpace(line)) != 0 {
			return nil, fmt.Errorf("%w: chunk end", errMalformedHead)
		}
	}
}

func skipTrailers(r *bufio.Reader) error {
	for range maxFields {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return unexpected(err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
	}
	return errMalformedHead
}

// readBody reads n bytes without trusting n with memory.
func readBody(r *bufio.Reader, n int64) ([]byte, error) {
	if n <= 1<<20 {
		body := make([]byte, n)
		_, err := io.ReadFull(r, body)
		return body, unexpected(err)
	}
	var body bytes.Buffer
	_, err := io.CopyN(&body, r, n)
	return body.Bytes(), unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func appendFields(b []byte, fs fields) []byte {
	for i := range fs {
		b = append(b, fs[i].name...)
		b = append(b, ": "...)
		b = append(b, fs[i].value...)
		b = append(b, "\r\n"...)
	}
	return b
}
