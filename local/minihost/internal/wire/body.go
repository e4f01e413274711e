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

// ReadChunked reads a chunked body and its trailers. Its lines end in CR LF: another reader
// may see a lone LF as part of a line.
func ReadChunked(r *bufio.Reader, limit int64) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, unexpected(err)
		}
		size, _, _ := strings.Cut(strings.TrimSuffix(string(line), "\r\n"), ";")
		n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 31)
		if err != nil || !bytes.HasSuffix(line, []byte("\r\n")) {
			return nil, fmt.Errorf("%w: chunk size %.20q", ErrMalformedHead, size)
		}
		if int64(body.Len())+int64(n) > limit {
			return nil, StatusError(413)
		}
		if n == 0 {
			return body.Bytes(), skipTrailers(r)
		}
		if _, err := io.CopyN(&body, r, int64(n)); err != nil {
			return nil, unexpected(err)
		}
		if line, err = r.ReadSlice('\n'); err != nil || string(line) != "\r\n" {
			return nil, fmt.Errorf("%w: chunk end", ErrMalformedHead)
		}
	}
}

func skipTrailers(r *bufio.Reader) error {
	for range maxFields {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return unexpected(err)
		}
		if string(line) == "\r\n" {
			return nil
		}
	}
	return ErrMalformedHead
}

// ReadBody reads n bytes without trusting n with memory.
func ReadBody(r *bufio.Reader, n int64) ([]byte, error) {
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
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
