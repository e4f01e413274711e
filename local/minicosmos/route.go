package minicosmos

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// words are the path's fixed words at each level, and below them what a container has.
var words = []string{"dbs", "colls", "docs"}

// route takes the path apart.
func (r *request) route() *Error {
	path := strings.Trim(r.URL.EscapedPath(), "/")
	if path == "" {
		return nil
	}
	segments := strings.Split(path, "/")
	if segments[0] == "offers" && len(segments) <= 2 {
		r.feed = segments[0]
		if len(segments) == 2 {
			r.offer = segments[1]
		}
		return nil
	}
	for i := 0; i < len(segments); i += 2 {
		level := i / 2
		known := level < len(words) && segments[i] == words[level] || level == 2 && segments[i] == "pkranges" && i == len(segments)-1
		if !known {
			return badRequest("The resource %q is not one that this server has.", "/"+path)
		}
		if i == len(segments)-1 {
			r.feed = segments[i]
			return nil
		}
		name, err := url.PathUnescape(segments[i+1])
		if err != nil || !utf8.ValidString(name) || name == "" {
			return badRequest("The path %q is not properly escaped.", "/"+path)
		}
		r.names = append(r.names, name)
	}
	return addressable(r.names)
}

// addressable refuses a document id that the service's gateway cannot address, though
// it can be created: it decodes paths before it checks the signature
// (azcosmos emulator_cosmos_item_test.go, TestItemIdEncodingRoutingGW).
func addressable(names []string) *Error {
	if len(names) < 3 {
		return nil
	}
	id := names[2]
	switch {
	case strings.ContainsFunc(id, isControl):
		return badRequest("The document id %q contains a control character.", id)
	case strings.ContainsAny(id, `/\#`), strings.HasSuffix(id, " "), hasEscape(id):
		return unauthorized("A document with the id %q cannot be addressed: it contains / \\ #, a percent escape or a space at the end.", id)
	}
	return nil
}

// hasEscape tells whether s contains %XX.
func hasEscape(s string) bool {
	unescaped, err := url.PathUnescape(s)
	return err == nil && unescaped != s
}

// resource returns what the request's signature covers.
func (r *request) resource() (resourceType, link string) {
	var b strings.Builder
	for i, name := range r.names {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(words[i] + "/" + name)
	}
	switch {
	case r.feed == "offers":
		return r.feed, strings.ToLower(r.offer) // by its resource id, which is signed in lower case
	case r.feed != "":
		return r.feed, b.String()
	case len(r.names) == 0:
		return "", ""
	}
	return words[len(r.names)-1], b.String()
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
