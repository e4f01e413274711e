package wire

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// words are the path's fixed words at each level, and below them what a container has.
var words = []string{"dbs", "colls", "docs"}

// Route takes the path apart.
func (r *Request) Route() *refusal.Error {
	path := strings.Trim(r.URL.EscapedPath(), "/")
	if path == "" {
		return nil
	}
	segments := strings.Split(path, "/")
	if segments[0] == "offers" && len(segments) <= 2 {
		r.Feed = segments[0]
		if len(segments) == 2 {
			r.Offer = segments[1]
		}
		return nil
	}
	for i := 0; i < len(segments); i += 2 {
		level := i / 2
		if kind, ok := others[segments[i]]; ok && kind == level {
			return r.other(segments[i:])
		}
		known := level < len(words) && segments[i] == words[level] || level == 2 && segments[i] == "pkranges" && i == len(segments)-1
		if !known {
			return refusal.BadRequest("The resource %q is not one that this server has.", "/"+path)
		}
		if i == len(segments)-1 {
			r.Feed = segments[i]
			return nil
		}
		name, err := url.PathUnescape(segments[i+1])
		if err != nil || !utf8.ValidString(name) || name == "" {
			return refusal.BadRequest("The path %q is not properly escaped.", "/"+path)
		}
		r.Names = append(r.Names, name)
	}
	return addressable(r.Names)
}

// others are kinds of resources that nobody can make here, with the number of names before them.
var others = map[string]int{"users": 1, "clientencryptionkeys": 1, "sprocs": 2, "triggers": 2, "udfs": 2, "conflicts": 2, "operations": 2}

// other takes the rest of a path to a resource of another kind.
func (r *Request) other(segments []string) *refusal.Error {
	for _, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil || !utf8.ValidString(name) || name == "" {
			return refusal.BadRequest("The path %q is not properly escaped.", r.URL.EscapedPath())
		}
		r.Other = append(r.Other, name)
	}
	return nil
}

// otherResource returns what the signature covers of such a request, below a path.
func (r *Request) otherResource(above string) (resourceType, link string) {
	if r.Other[0] == "operations" {
		return "colls", above
	}
	n := len(r.Other)
	if n%2 == 0 {
		return r.Other[n-2], above + "/" + strings.Join(r.Other, "/")
	}
	return r.Other[n-1], strings.Join(append([]string{above}, r.Other[:n-1]...), "/")
}

// addressable refuses a document id that the service's gateway cannot address, though
// it can be created: it decodes paths before it checks the signature
// (azcosmos emulator_cosmos_item_test.go, TestItemIdEncodingRoutingGW).
func addressable(names []string) *refusal.Error {
	if len(names) < 3 {
		return nil
	}
	id := names[2]
	switch {
	case strings.ContainsFunc(id, isControl):
		return refusal.BadRequest("The document id %q contains a control character.", id)
	case strings.ContainsAny(id, `/\#`), strings.HasSuffix(id, " "), hasEscape(id):
		return refusal.Unauthorized("A document with the id %q cannot be addressed: it contains / \\ #, a percent escape or a space at the end.", id)
	}
	return nil
}

// hasEscape tells whether s contains %XX.
func hasEscape(s string) bool {
	unescaped, err := url.PathUnescape(s)
	return err == nil && unescaped != s
}

// Resource returns what the request's signature covers.
func (r *Request) Resource() (resourceType, link string) {
	var b strings.Builder
	for i, name := range r.Names {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(words[i] + "/" + name)
	}
	switch {
	case r.Other != nil:
		return r.otherResource(b.String())
	case r.Feed == "offers":
		return r.Feed, strings.ToLower(r.Offer) // by its resource id, which is signed in lower case
	case r.Feed != "":
		return r.Feed, b.String()
	case len(r.Names) == 0:
		return "", ""
	}
	return words[len(r.Names)-1], b.String()
}

// ridLink returns what the signature of a request that is addressed by resource ids covers instead of a path: the last
// one in lower case. It is "" for what cannot be such a request.
func (r *Request) ridLink() string {
	for _, name := range r.Names {
		if !isRID(name) {
			return ""
		}
	}
	if len(r.Names) == 0 {
		return ""
	}
	return strings.ToLower(r.Names[len(r.Names)-1])
}

// isRID tells whether a name has the form of a resource id: 4, 8 or 16 bytes in base64.
func isRID(name string) bool {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-="
	n := len(name)
	return (n == 8 || n == 12 || n == 24) && strings.Trim(name, digits) == ""
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
