package writeprofile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/functions/problem"
	"github.com/relaybox/relaybox/functions/resource"
	"github.com/relaybox/relaybox/profile"
)

// maxBody bounds a request's body. A profile may be larger on paper, but not its event.
const maxBody = 256 << 10

// mediaTypes are the formats that a method takes, the preferred one first.
var mediaTypes = map[string][]string{
	http.MethodPut:   {"application/json"},
	http.MethodPatch: {"application/merge-patch+json", "application/json"},
}

// read takes a request apart. Its errors are problems that need no look at the store.
func read(r *http.Request) (*change, error) {
	if r.Method != http.MethodDelete && mediaTypes[r.Method] == nil {
		p := problem.New(problem.BadMethod, "%s does not write a profile.", r.Method)
		p.Offer = [2]string{"Allow", "PUT, PATCH, DELETE"}
		return nil, p
	}
	id, err := resource.ID(r)
	if err != nil {
		return nil, err
	}
	c := &change{id: id, creates: r.Method == http.MethodPut, next: remove}
	if c.conditions, err = resource.ParseConditions(r.Header); err != nil {
		return nil, err
	}
	if c.key, err = idempotencyKey(r.Header); err != nil {
		return nil, err
	}
	var body []byte
	if r.Method != http.MethodDelete {
		if body, err = readBody(r); err != nil {
			return nil, err
		}
	}
	switch r.Method {
	case http.MethodPut:
		c.next, err = put(body)
	case http.MethodPatch:
		c.next, err = patch(body)
	}
	if err != nil {
		return nil, err
	}
	c.hash = requestHash(r, id, body)
	return c, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if err := checkFormat(r); err != nil {
		return nil, err
	}
	// The host passes no chunked body on: what comes without a length comes empty.
	if r.ContentLength < 0 || r.ContentLength == 0 && r.Header.Get("Content-Length") == "" {
		return nil, problem.New(problem.LengthRequired, "Send the body with a Content-Length, not chunked.")
	}
	if r.ContentLength > maxBody {
		return nil, bodyTooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		p := problem.New(problem.BodyCutShort, "%d of %d bytes came.", len(body), r.ContentLength)
		p.Cause = err
		return nil, p
	case len(body) > maxBody:
		return nil, bodyTooLarge()
	}
	return body, nil
}

func bodyTooLarge() error {
	p := problem.New(problem.BodyTooLarge, "A body has at most %d bytes.", maxBody)
	p.Limit = maxBody
	return p
}

// checkFormat wants one of the method's media types, in UTF-8 and not compressed.
func checkFormat(r *http.Request) error {
	accepted := mediaTypes[r.Method]
	given, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, named := params["charset"]
	var detail string
	switch {
	case err != nil || !slices.Contains(accepted, given):
		detail = fmt.Sprintf("%s takes %s.", r.Method, strings.Join(accepted, " or "))
	case named && !strings.EqualFold(charset, "utf-8"):
		detail = "JSON is UTF-8."
	case r.Header.Get("Content-Encoding") != "":
		detail = "Send the body without a Content-Encoding."
	default:
		return nil
	}
	p := problem.New(problem.MediaType, "%s", detail)
	// RFC 9110 §15.5.16 and RFC 5789 §3.1 name the header that helps.
	p.Offer = [2]string{"Accept", strings.Join(accepted, ", ")}
	if r.Method == http.MethodPatch {
		p.Offer[0] = "Accept-Patch"
	}
	return p
}

// requestHash tells a repeated request from another one under the same key. Every part
// is followed by its length, so that no two requests run together to the same text.
func requestHash(r *http.Request, id string, body []byte) string {
	sum := sha256.New()
	match, noneMatch := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	for _, part := range []string{r.Method, id, strings.Join(match, ","), strings.Join(noneMatch, ","), string(body)} {
		_, _ = fmt.Fprintf(sum, "%s %d\n", part, len(part)) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// refused turns what package profile says about a body into a problem.
func refused(err error) error {
	if e, ok := errors.AsType[*profile.SyntaxError](err); ok {
		return at(problem.MalformedJSON, e.Position, "", e)
	}
	if e, ok := errors.AsType[*profile.UnknownFieldError](err); ok {
		return at(problem.UnknownField, e.Position, e.Field, e)
	}
	if e, ok := errors.AsType[*profile.DuplicateFieldError](err); ok {
		return at(problem.DuplicateField, e.Position, e.Field, e)
	}
	if e, ok := errors.AsType[*profile.InvalidError](err); ok {
		p := problem.New(problem.Invalid, "The member errors names everything that is wrong.")
		for _, f := range e.Fields {
			p.Errors = append(p.Errors, problem.FieldError(f))
		}
		return p
	}
	return err
}

func at(k problem.Kind, place profile.Position, field string, err error) error {
	p := problem.New(k, "%s", err)
	p.Position, p.Field = &problem.Position{Offset: place.Offset, Line: place.Line, Column: place.Column}, field
	return p
}
