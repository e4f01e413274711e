package wire

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxAnswer bounds the body of an answer, which is buffered whole.
const maxAnswer = 256 << 20

// Answer is what the handler sent back.
type Answer struct {
	Status int
	Reason string
	Fields Fields
	Body   []byte
}

// ReadAnswer reads one answer, passing over interim ones. reuse says whether the
// connection may carry another request; the head is read into buf, which is
// returned as it has grown.
func ReadAnswer(r *bufio.Reader, buf []byte, method string) (a Answer, reuse bool, _ []byte, err error) {
	for {
		var line string
		line, a.Fields, buf, err = ReadHead(r, buf, 1<<20)
		if err != nil {
			return Answer{}, false, buf, err
		}
		proto, rest, _ := strings.Cut(line, " ")
		code, reason, _ := strings.Cut(rest, " ")
		a.Reason = reason
		a.Status, err = strconv.Atoi(code)
		if err != nil || len(code) != 3 || !strings.HasPrefix(proto, "HTTP/1.") {
			return Answer{}, false, buf, fmt.Errorf("%w: %.80q", ErrMalformedHead, line)
		}
		if a.Status >= 200 {
			reuse = proto == "HTTP/1.1" && !a.Fields.Token("Connection", "close")
			break
		}
	}
	a, reuse, err = readAnswerBody(r, method, a, reuse)
	return a, reuse, buf, err
}

func readAnswerBody(r *bufio.Reader, method string, a Answer, reuse bool) (Answer, bool, error) {
	var err error
	length, sized := a.Fields.Get("Content-Length")
	switch {
	case method == "HEAD" || a.Status == 204 || a.Status == 304:
	case a.Fields.Token("Transfer-Encoding", "chunked"):
		a.Body, err = ReadChunked(r, maxAnswer)
	case sized:
		n, perr := strconv.ParseUint(length, 10, 63)
		if perr != nil || n > maxAnswer {
			return a, false, fmt.Errorf("%w: content length %.40q", ErrMalformedHead, length)
		}
		a.Body, err = ReadBody(r, int64(n))
	default:
		reuse = false
		a.Body, err = io.ReadAll(io.LimitReader(r, maxAnswer))
	}
	return a, reuse, err
}
