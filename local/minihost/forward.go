package minihost

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// hostVersion is the version whose contract this host follows.
const hostVersion = "4.1052.300.0"

const hostAgent = "Azure-Functions-Host/" + hostVersion

// contentHeaders are those that .NET knows as describing a body. Of a forwarded
// request only the type and the length survive, and only with a body.
var contentHeaders = []string{"allow", "content-disposition", "content-encoding", "content-language", "content-length",
	"content-location", "content-md5", "content-range", "content-type", "expires", "last-modified"}

// forwardHead builds the head of a forwarded request; false if the real host's
// HTTP client would refuse to send it.
func forwardHead(b []byte, req *request, id string, size int) ([]byte, bool) {
	host, _ := req.fields.Get("Host")
	if host == "" {
		return b, false // no URL can be built
	}
	b = append(append(b, req.method...), ' ')
	b = append(b, absolutePath(req.path, req.query != "")...)
	if req.query != "" {
		b = append(b, rebuildQuery(parseQuery(req.query))...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	var agent, ids, versions string
	for i, f := range req.fields {
		if !first(req.fields, i) {
			continue
		}
		value := joined(req.fields, i)
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
	b = append(append(b, versions...), hostVersion+"\r\n"+azfunc.HeaderInvocationID+": "...)
	return append(append(b, id...), "\r\n\r\n"...)
}

// contentFields adds length and type; size -1: the type is invalid.
func contentFields(b []byte, req *request, size int) ([]byte, int) {
	if size == 0 {
		if !slices.Contains([]string{"GET", "HEAD", "DELETE", "OPTIONS", "CONNECT"}, req.method) {
			b = append(b, "Content-Length: 0\r\n"...)
		}
		return b, 0
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, "\r\n"...)
	for i, f := range req.fields {
		if !strings.EqualFold(f.Name, "Content-Type") || !first(req.fields, i) {
			continue
		}
		value := joined(req.fields, i)
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

// first: no field before i has its name.
func first(fs wire.Fields, i int) bool {
	for _, f := range fs[:i] {
		if strings.EqualFold(f.Name, fs[i].Name) {
			return false
		}
	}
	return true
}

// joined is the value of field i with all later ones of its name.
func joined(fs wire.Fields, i int) string {
	value, separator := fs[i].Value, ", "
	for _, f := range fs[i+1:] {
		if !strings.EqualFold(f.Name, fs[i].Name) {
			continue
		}
		switch strings.ToLower(f.Name) {
		case "user-agent":
			separator = " "
		case "cookie":
			separator = "; "
		}
		value += separator + f.Value
	}
	return value
}

// connectionValue: a value in which only one option is known to the web server
// is replaced by that option.
func connectionValue(value string) string {
	var known []string
	for part := range strings.SplitSeq(value, ",") {
		switch part = strings.ToLower(strings.TrimSpace(part)); part {
		case "keep-alive", "close":
			known = append(known, part)
		case "upgrade":
			known = append(known, "Upgrade")
		}
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) == 1 {
		return known[0]
	}
	return value
}

// collapse writes white space outside comments as one space.
func collapse(agent string) string {
	var out strings.Builder
	depth, gap := 0, false
	for i := 0; i < len(agent); i++ {
		c := agent[i]
		if depth == 0 && (c == ' ' || c == '\t') {
			gap = true
			continue
		}
		if gap && out.Len() > 0 {
			out.WriteByte(' ')
		}
		gap = false
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		out.WriteByte(c)
	}
	return out.String()
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// mediaType checks a content type and writes it as .NET does: one space after
// each semicolon.
func mediaType(value string) (string, bool) {
	kind, rest, more := cutUnquoted(value)
	main, sub, ok := strings.Cut(kind, "/")
	if !ok || !wire.Token(main) || !wire.Token(sub) {
		return "", false
	}
	out := kind
	for more {
		var part string
		part, rest, more = cutUnquoted(rest)
		name, v, has := strings.Cut(part, "=")
		name, v = strings.TrimSpace(name), strings.TrimSpace(v)
		if !wire.Token(name) || (has && !wire.Token(v) && !quoted(v)) {
			return "", false
		}
		out += "; " + name
		if has {
			out += "=" + v
		}
	}
	return out, true
}

// cutUnquoted splits at the first semicolon outside quotes.
func cutUnquoted(s string) (before, after string, found bool) {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case in && s[i] == '\\':
			i++
		case s[i] == '"':
			in = !in
		case s[i] == ';' && !in:
			return strings.TrimSpace(s[:i]), s[i+1:], true
		}
	}
	return strings.TrimSpace(s), "", false
}

func quoted(s string) bool {
	return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && ascii(s)
}

// ownedByServer are the headers of an answer that the connection to the client
// has its own values for.
func ownedByServer(name string) bool {
	switch len(name) {
	case 10, 14, 17:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive") ||
			strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// forwarded makes the client's answer of the handler's.
func forwarded(method string, a wire.Answer) response {
	res := response{status: a.Status, reason: a.Reason, body: a.Body}
	if method == http.MethodHead {
		res.length, _ = a.Fields.Get("Content-Length")
	}
	kept := a.Fields[:0]
	for _, f := range a.Fields {
		if !ownedByServer(f.Name) {
			kept = append(kept, f)
		}
	}
	res.fields = kept
	return res
}
