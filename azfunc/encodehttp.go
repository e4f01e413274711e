package azfunc

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A Pair is a named list of values; order and case are the client's.
type Pair struct {
	Name   string
	Values []string
}

// HTTPCall is a client's request as the default protocol passes it on.
type HTTPCall struct {
	Method, URL string
	Query       []Pair // merged by name in any case
	Header      []Pair // merged by name in any case
	Params      []Pair // route parameters
	// Body is nil unless the request had a Content-Length above zero: a
	// chunked body is lost here.
	Body []byte
	// Binary sends the body as base64 instead of text.
	Binary bool
}

// identities is the anonymous caller of a host without authentication.
const identities = `[{"AuthenticationType":null,"IsAuthenticated":false,"Actor":null,"BootstrapContext":null,"Claims":[],"Label":null,"Name":null,` +
	`"NameClaimType":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name","RoleClaimType":"http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}]`

// EncodeHTTP encodes the default-protocol invocation of an HTTP function.
func EncodeHTTP(c Call, h HTTPCall) []byte {
	req := &bag{}
	req.set("Url", compact(h.URL))
	req.set("Method", compact(h.Method))
	req.set("Query", object(h.Query, func(v []string) any { return strings.Join(v, ",") }))
	req.set("Headers", object(h.Header, func(v []string) any { return v }))
	req.set("Params", object(h.Params, last))
	req.set("Identities", json.RawMessage(identities))
	if h.Body != nil {
		req.set("Body", body(h))
	}
	return c.document(req.json(), httpMetadata(h))
}

func body(h HTTPCall) json.RawMessage {
	if h.Binary {
		return compact(base64.StdEncoding.EncodeToString(h.Body))
	}
	return compact(strings.ToValidUTF8(string(h.Body), string(utf8.RuneError)))
}

// httpMetadata is the body's properties, then query, then route parameters,
// each replacing what came before; the collections only where none of them has
// taken the name.
func httpMetadata(h HTTPCall) *bag {
	b := &bag{}
	b.pollute(h.Body)
	for _, q := range h.Query {
		if !strings.EqualFold(q.Name, "code") {
			b.put(q.Name, last(q.Values))
		}
	}
	for _, p := range h.Params {
		b.put(p.Name, last(p.Values))
	}
	b.add("Query", object(h.Query, last))
	b.add("Headers", object(h.Header, func(v []string) any { return strings.Join(v, ",") }))
	return b
}

func object(pairs []Pair, value func([]string) any) json.RawMessage {
	b := &bag{}
	for _, p := range pairs {
		b.set(p.Name, compact(value(p.Values)))
	}
	return b.json()
}

func last(values []string) any {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
