package minicosmos

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxSkew is how far x-ms-date may be from the server's clock.
const maxSkew = 15 * time.Minute

// authenticate checks the master-key signature of a request for a resource.
//
//	string to sign: lower(verb) LF lower(type) LF link LF lower(x-ms-date) LF LF
//	Authorization:  query-escaped type=master&ver=1.0&sig=base64(HMAC-SHA256)
//
// The link is the name-based path as the client meant it, unescaped and in its case; a
// feed is signed with its parent's link and the type of its members.
func (s *Server) authenticate(h http.Header, verb, resourceType, link string) *Error {
	signature, bad := masterSignature(h.Get("Authorization"))
	if bad != nil {
		return bad
	}
	date := h.Get("X-Ms-Date")
	sent, err := http.ParseTime(date)
	if err != nil {
		return unauthorized("The header x-ms-date is missing or not an RFC 1123 date.")
	}
	if skew := time.Since(sent); skew.Abs() > maxSkew {
		return unauthorized("The x-ms-date %q is more than %v away from the server's time.", date, maxSkew)
	}
	toSign := strings.ToLower(verb) + "\n" + strings.ToLower(resourceType) + "\n" + link + "\n" + strings.ToLower(date) + "\n\n"
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(toSign))
	if !hmac.Equal(mac.Sum(nil), signature) {
		return unauthorized("The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol. The server used the following payload to sign: %q", toSign)
	}
	return nil
}

// masterSignature takes the signature out of an Authorization header. The value is
// unescaped once and split by hand: a form decoder would turn + into a space.
func masterSignature(header string) ([]byte, *Error) {
	if header == "" {
		return nil, unauthorized("Required Header authorization is missing.")
	}
	token, err := url.PathUnescape(header)
	if err != nil {
		return nil, unauthorized("The authorization header is not properly escaped.")
	}
	fields := map[string]string{}
	for _, part := range strings.Split(token, "&") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	if fields["type"] != "master" || fields["ver"] != "1.0" {
		return nil, unauthorized("Only authorization tokens of type=master and ver=1.0 are accepted.")
	}
	signature, err := base64.StdEncoding.DecodeString(fields["sig"])
	if err != nil || len(signature) != sha256.Size {
		return nil, unauthorized("The signature in the authorization header is not a base64 HMAC-SHA256.")
	}
	return signature, nil
}
