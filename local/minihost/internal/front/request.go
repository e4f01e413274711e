package front

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// Request is what a client sent.
type Request struct {
	Method  string
	Path    string // decoded
	Fields  wire.Fields
	Chunked bool // the body is chunked, and Body does not read it

	target   string
	query    string // raw
	length   int64  // 0 without a body or with a chunked one
	old      bool   // HTTP/1.0
	closes   bool   // the connection ends after it, whatever the client says
	conn     *clientConn
	bodyRead bool
}

// Limits of the real host's web server.
const (
	maxHead   = 32 << 10
	maxTarget = 8 << 10
	maxBody   = 104857600 // FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
	maxDrain  = 1 << 20   // unread body that is still read to keep a connection
)

func readRequest(c *clientConn) (*Request, error) {
	line, fs, buf, err := wire.ReadHead(c.r, c.head, maxHead+maxTarget)
	c.head = buf
	switch {
	case errors.Is(err, wire.ErrMalformedHead):
		return nil, wire.StatusError(http.StatusBadRequest)
	case err != nil:
		return nil, err
	}
	if !crlf(buf) {
		return nil, wire.StatusError(http.StatusBadRequest)
	}
	method, rest, _ := strings.Cut(line, " ")
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || !wire.Token(method) {
		return nil, wire.StatusError(http.StatusBadRequest)
	}
	if len(target) > maxTarget {
		return nil, wire.StatusError(http.StatusRequestURITooLong)
	}
	req := &Request{Method: method, target: target, Fields: fs, conn: c}
	switch proto {
	case "HTTP/1.1":
	case "HTTP/1.0":
		req.old = true
	default:
		if strings.HasPrefix(proto, "HTTP/") {
			return nil, wire.StatusError(http.StatusHTTPVersionNotSupported)
		}
		return nil, wire.StatusError(http.StatusBadRequest)
	}
	return req, req.check()
}

// check applies the web server's own rules.
func (req *Request) check() error {
	hosts := 0
	for _, f := range req.Fields {
		if strings.EqualFold(f.Name, "Host") {
			hosts++
		}
		if !utf8.ValidString(f.Value) || strings.IndexByte(f.Value, 0) >= 0 {
			return wire.StatusError(http.StatusBadRequest)
		}
	}
	if hosts > 1 || (hosts == 0 && !req.old) {
		return wire.StatusError(http.StatusBadRequest)
	}
	if err := req.framing(); err != nil {
		return err
	}
	if req.target == "*" && req.Method == http.MethodOptions {
		req.Path = "*"
		return nil
	}
	host, _ := req.Fields.Get("Host")
	raw, query, ok := splitTarget(req.target, host)
	if !ok {
		return wire.StatusError(http.StatusBadRequest)
	}
	if req.Path, ok = decodePath(raw); !ok {
		return wire.StatusError(http.StatusBadRequest)
	}
	req.query = query
	return nil
}

// framing finds the body's length (RFC 9112 §6.3). What two servers could read in two ways
// is refused: several lengths, codings that do not end in one "chunked".
func (req *Request) framing() error {
	lengths := req.Fields.Values("Content-Length")
	if codings := req.Fields.Values("Transfer-Encoding"); len(codings) > 0 {
		if req.old || !chunkedLast(strings.Join(codings, ",")) {
			return wire.StatusError(http.StatusBadRequest)
		}
		// A length beside it does not count, but somebody on the way may have counted it.
		req.Chunked, req.closes = true, len(lengths) > 0
		return nil
	}
	if len(lengths) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil || len(lengths) > 1 {
		return wire.StatusError(http.StatusBadRequest)
	}
	if n > maxBody {
		return wire.StatusError(http.StatusRequestEntityTooLarge)
	}
	req.length = int64(n)
	return nil
}

// chunkedLast: "chunked" is the last coding, and only the last.
func chunkedLast(codings string) bool {
	list := strings.Split(strings.ToLower(codings), ",")
	for i, coding := range list {
		if (strings.TrimSpace(coding) == "chunked") != (i == len(list)-1) {
			return false
		}
	}
	return true
}

// crlf: every line of a head ends in CR LF, and no CR stands alone, as the real host's web
// server wants it.
func crlf(head []byte) bool {
	pairs := bytes.Count(head, []byte("\r\n"))
	return bytes.Count(head, []byte("\n")) == pairs && bytes.Count(head, []byte("\r")) == pairs
}

// Body reads the body, after the interim answer that a waiting client needs.
func (req *Request) Body() ([]byte, error) {
	if req.length == 0 || req.bodyRead {
		return nil, nil
	}
	req.bodyRead = true
	if req.Fields.Token("Expect", "100-continue") && !req.old {
		if _, err := io.WriteString(req.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return nil, err
		}
	}
	body, err := wire.ReadBody(req.conn.r, req.length)
	// What is left of a body that was given up is no request.
	req.closes = req.closes || err != nil
	return body, err
}

// drain reads what is left of the body; false: the connection must end.
func (req *Request) drain() bool {
	_ = req.conn.SetReadDeadline(time.Now().Add(headTimeout))
	switch {
	case req.Chunked:
		_, err := wire.ReadChunked(req.conn.r, maxDrain)
		return err == nil
	case req.length == 0 || req.bodyRead:
		return true
	case req.length > maxDrain || req.Fields.Has("Expect"):
		return false
	}
	_, err := req.conn.r.Discard(int(req.length))
	return err == nil
}
