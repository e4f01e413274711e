package front

import (
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// Response is what the client gets. The server adds Date, Server, the length
// and Connection.
type Response struct {
	Status int
	Fields wire.Fields
	Body   []byte

	reason string // "" for the usual one
	// length overrides the length of body for answers without one (HEAD).
	length string
}

// Unauthorized is the answer to a request without its key.
func Unauthorized() Response {
	return Response{Status: http.StatusUnauthorized, Fields: wire.Fields{{Name: "WWW-Authenticate", Value: "Bearer"}}}
}

// write sends an answer with its length.
func (c *clientConn) write(req *Request, res Response, last bool) error {
	b := append(c.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(res.Status), 10)
	b = append(b, ' ')
	if res.reason == "" {
		res.reason = http.StatusText(res.Status)
	}
	b = append(append(b, res.reason...), "\r\n"...)
	b = wire.AppendFields(b, res.Fields)
	if !res.Fields.Has("Server") {
		b = append(b, "Server: Kestrel\r\n"...)
	}
	if !res.Fields.Has("Date") {
		b = append(b, "Date: "...)
		b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
		b = append(b, "\r\n"...)
	}
	if res.Status != http.StatusNoContent {
		b = append(b, "Content-Length: "...)
		if res.length == "" {
			res.length = strconv.Itoa(len(res.Body))
		}
		b = append(append(b, res.length...), "\r\n"...)
	}
	switch {
	case last:
		b = append(b, "Connection: close\r\n"...)
	case req.old:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if req.Method != http.MethodHead {
		b = append(b, res.Body...)
	}
	_, err := c.Write(b)
	if cap(b) <= 64<<10 {
		c.out = b
	}
	return err
}
