package request

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/entity/problem"
)

// MaxBody bounds a request's body. An entity may be larger on paper, but not its event.
const MaxBody = 256 << 10

// IDPattern is the set of ids that a URL path carries unchanged through every hop
// (RFC 3986, unreserved characters).
const IDPattern = `^[A-Za-z0-9._~-]{1,128}$`

var safeID = regexp.MustCompile(IDPattern)

// ValidID says whether id can name an entity: 1 to 128 of the characters that no URL
// ever needs to escape, but not "." and "..", which a path does not keep.
func ValidID(id string) bool { return safeID.MatchString(id) && id != "." && id != ".." }

// ID returns the entity's id from the path, r.PathValue("id"). The host's route constraint
// is as strict but for "." and ".."; local calls may come without any host.
func ID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !ValidID(id) {
		return "", problem.New(problem.BadID, "An id has 1 to 128 letters, digits, '.', '_', '~' and '-', and is neither %q nor %q.", ".", "..")
	}
	return id, nil
}

// HasBody says whether the client has sent a body, or means to.
func HasBody(r *http.Request) bool {
	return r.ContentLength != 0 || r.Header.Get("Content-Type") != ""
}

// Body reads the whole body, at most MaxBody bytes, if it has one of the media types and is
// UTF-8 and not compressed. Its errors are problems.
func Body(r *http.Request, accepted ...string) ([]byte, error) {
	if err := checkFormat(r, accepted); err != nil {
		return nil, err
	}
	// The host passes no chunked body on: what comes without a length comes empty.
	if r.ContentLength < 0 || r.ContentLength == 0 && r.Header.Get("Content-Length") == "" {
		return nil, problem.New(problem.LengthRequired, "Send the body with a Content-Length, not chunked.")
	}
	if r.ContentLength > MaxBody {
		return nil, bodyTooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		p := problem.New(problem.BodyCutShort, "%d of %d bytes came.", len(body), r.ContentLength)
		p.Cause = err
		return nil, p
	case len(body) > MaxBody:
		return nil, bodyTooLarge()
	}
	if p := otherFormat(body); p != nil {
		return nil, offer(r, accepted, p)
	}
	return body, nil
}

func bodyTooLarge() error {
	p := problem.New(problem.BodyTooLarge, "A body has at most %d bytes.", MaxBody)
	p.Limit = MaxBody
	return p
}

// checkFormat wants one of the media types, in UTF-8 and not compressed.
func checkFormat(r *http.Request, accepted []string) error {
	given, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, named := params["charset"]
	var detail string
	switch {
	case r.ContentLength == 0 && r.Header.Get("Content-Type") == "":
		// The host drops the Content-Type of an empty body, so that there may have been one.
		detail = fmt.Sprintf("%s needs a body, as %s.", r.Method, strings.Join(accepted, " or "))
	case err != nil || !slices.Contains(accepted, given):
		detail = fmt.Sprintf("%s takes %s.", r.Method, strings.Join(accepted, " or "))
	case named && !strings.EqualFold(charset, "utf-8"):
		detail = "JSON is UTF-8."
	case r.Header.Get("Content-Encoding") != "":
		detail = "Send the body without a Content-Encoding."
	default:
		return nil
	}
	return offer(r, accepted, problem.New(problem.MediaType, "%s", detail))
}

// offer adds what would be accepted to a refusal.
func offer(r *http.Request, accepted []string, p *problem.Problem) *problem.Problem {
	// RFC 9110 §15.5.16 and RFC 5789 §3.1 name the header that helps.
	p.Offer = [2]string{"Accept", strings.Join(accepted, ", ")}
	if r.Method == http.MethodPatch {
		p.Offer[0] = "Accept-Patch"
	}
	return p
}

// Hash tells a repeated request from another one under the same Idempotency-Key: by its
// method, conditions, body, and the parts that the caller names, such as the id. Every part
// is followed by its length, so that no two requests run together to the same text.
func Hash(r *http.Request, body []byte, parts ...string) string {
	sum := sha256.New()
	match, noneMatch := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	for _, part := range append([]string{r.Method, strings.Join(match, ","), strings.Join(noneMatch, ","), string(body)}, parts...) {
		_, _ = fmt.Fprintf(sum, "%s %d\n", part, len(part)) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}
