package front

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// HostVersion is the version whose contract this host follows.
const HostVersion = "4.1052.300.0"

const hostAgent = "Azure-Functions-Host/" + HostVersion

// contentHeaders are those that .NET knows as describing a body. Of a forwarded
// request only the type and the length survive, and only with a body.
var contentHeaders = []string{"allow", "content-disposition", "content-encoding", "content-language", "content-length",
	"content-location", "content-md5", "content-range", "content-type", "expires", "last-modified"}

// ForwardHead builds the head of a forwarded request; false if the real host's
// HTTP client would refuse to send it.
func ForwardHead(b []byte, req *Request, id string, size int) ([]byte, bool) {
	host, _ := req.Fields.Get("Host")
	if host == "" {
		return b, false // no URL can be built
	}
	b = append(append(b, req.Method...), ' ')
	b = append(b, absolutePath(req.Path, req.query != "")...)
	if req.query != "" {
		b = append(b, rebuildQuery(parseQuery(req.query))...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	var agent, ids, versions string
	for i, f := range req.Fields {
		if !first(req.Fields, i) {
			continue
		}
		value := joined(req.Fields, i)
		switch name := strings.ToLower(f.Name); {
		case slices.Contains(contentHeaders, name):
			continue
		case name == "user-agent":
			agent = collapse(value) + " "
			continue
		case name == "x-azure-functions-invocationid":
			ids = value + ", "
			continue
		case name == "x-azure-functions-hostversion":
			versions = value + ", "
			continue
		case name == "connection":
			value = connectionValue(value)
		}
		if !ascii(value) {
			return b, false
		}
		b = wire.AppendFields(b, wire.Fields{{Name: f.Name, Value: value}})
	}
	if !ascii(agent + ids + versions) {
		return b, false
	}
	if b, size = contentFields(b, req, size); size < 0 {
		return b, false
	}
	return appendOwn(b, agent, versions, ids+id), true
}

// appendOwn adds the host's three headers and the end of the head.
func appendOwn(b []byte, agent, versions, id string) []byte {
	b = append(append(append(b, "User-Agent: "...), agent...), hostAgent+"\r\n"+azfunc.HeaderHostVersion+": "...)
	b = append(append(b, versions...), HostVersion+"\r\n"+azfunc.HeaderInvocationID+": "...)
	return append(append(b, id...), "\r\n\r\n"...)
}

// contentFields adds length and type; size -1: the type is invalid.
func contentFields(b []byte, req *Request, size int) ([]byte, int) {
	if size == 0 {
		if !slices.Contains([]string{"GET", "HEAD", "DELETE", "OPTIONS", "CONNECT"}, req.Method) {
			b = append(b, "Content-Length: 0\r\n"...)
		}
		return b, 0
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, "\r\n"...)
	for i, f := range req.Fields {
		if !strings.EqualFold(f.Name, "Content-Type") || !first(req.Fields, i) {
			continue
		}
		value := joined(req.Fields, i)
		if value == "" {
			continue
		}
		media, ok := mediaType(value)
		if !ok {
			return b, -1
		}
		b = wire.AppendFields(b, wire.Fields{{Name: f.Name, Value: media}})
	}
	return b, size
}

// Forwarded makes the client's answer of the handler's; an error if the real
// host's web server would refuse to send it.
func Forwarded(method string, a wire.Answer) (Response, error) {
	res := Response{Status: a.Status, reason: a.Reason, Body: a.Body}
	if method == http.MethodHead {
		res.length, _ = a.Fields.Get("Content-Length")
	}
	kept := a.Fields[:0]
	for _, f := range a.Fields {
		if ownedByServer(f.Name) {
			continue
		}
		if !ascii(f.Value) {
			return Response{}, fmt.Errorf("header %s of the answer is not ASCII, and the real host's web server refuses to send it", f.Name)
		}
		kept = append(kept, f)
	}
	res.Fields = kept
	return res, nil
}
