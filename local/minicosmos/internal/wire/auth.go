package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// maxSkew is how far x-ms-date may be from the server's clock.
const maxSkew = 15 * time.Minute

// Verifier tells whether an access token was issued for an audience and is valid.
type Verifier interface {
	Verify(token, audience string) error
}

// Keys are what lets a request in.
type Keys struct {
	text   string    // the master key in base64
	macs   sync.Pool // of hash.Hash with the same, decoded: a new one hashes the key first
	tokens Verifier
}

// NewKeys takes the master key in base64, and who checks access tokens; nil accepts none.
func NewKeys(text string, tokens Verifier) (*Keys, error) {
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the account key is not base64: %w", err)
	}
	return &Keys{text: text, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}, tokens: tokens}, nil
}

// Authenticate lets a request for a resource in: with a signature of the master key, or with an access token.
//
//	Authorization: query-escaped type=master&ver=1.0&sig=base64(HMAC-SHA256)
//	Authorization: type=aad&ver=1.0&sig=JWT
func (k *Keys) Authenticate(r *Request, resourceType, link string) *refusal.Error {
	kind, signature, bad := authorization(r.Header.Get("Authorization"))
	switch {
	case bad != nil:
		return bad
	case kind == "aad":
		r.Loose = true
		return k.admitToken(r, signature)
	}
	bad = k.admitSignature(r.Header, r.Method, resourceType, link, signature)
	if bad == nil {
		return nil
	}
	if rid := r.ridLink(); rid != "" && k.admitSignature(r.Header, r.Method, resourceType, rid, signature) == nil {
		r.ByRID = true
		return nil
	}
	return bad
}

// admitSignature checks a signature of the master key.
//
//	string to sign: lower(verb) LF lower(type) LF link LF lower(x-ms-date) LF LF
//
// The link is the name-based path as the client meant it, unescaped and in its case; a
// feed is signed with its parent's link and the type of its members. Addressed by resource
// ids, it is the last of them alone, in lower case.
func (k *Keys) admitSignature(h http.Header, verb, resourceType, link, text string) *refusal.Error {
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(signature) != sha256.Size {
		return refusal.Unauthorized("The signature in the authorization header is not a base64 HMAC-SHA256.")
	}
	date := h.Get("X-Ms-Date")
	sent, err := http.ParseTime(date)
	if err != nil {
		return refusal.Unauthorized("The header x-ms-date is missing or not an RFC 1123 date.")
	}
	if skew := time.Since(sent); skew.Abs() > maxSkew {
		return refusal.Unauthorized("The x-ms-date %q is more than %v away from the server's time.", date, maxSkew)
	}
	toSign := strings.ToLower(verb) + "\n" + strings.ToLower(resourceType) + "\n" + link + "\n" + strings.ToLower(date) + "\n\n"
	if !hmac.Equal(k.sign(toSign), signature) {
		return refusal.Unauthorized("The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol. The server used the following payload to sign: %q", toSign)
	}
	return nil
}

func (k *Keys) sign(text string) []byte {
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	_, _ = io.WriteString(mac, text) // a hash never fails
	return mac.Sum(nil)
}

// admitToken checks an access token for scheme://host of this server, or one of the emulator's form.
func (k *Keys) admitToken(r *Request, token string) *refusal.Error {
	if k.ownToken(token) {
		return nil
	}
	if k.tokens == nil {
		return refusal.Unauthorized("Access tokens are not accepted: this account has no issuer that it trusts (Options.Verifier).")
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if err := k.tokens.Verify(token, scheme+host); err != nil {
		return refusal.Unauthorized("The access token is not accepted: %v.", err)
	}
	return nil
}

// ownToken tells whether a token is of the form that Microsoft's emulators accept: unsigned, with the master key in
// place of a signature, and valid now. Whoever can make it has the key.
func (k *Keys) ownToken(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	key, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || subtle.ConstantTimeCompare(key, []byte(k.text)) != 1 {
		return false
	}
	var claims struct {
		NotBefore int64 `json:"nbf"`
		Expires   int64 `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	now, skew := time.Now().Unix(), int64(maxSkew.Seconds())
	return err == nil && json.Unmarshal(text, &claims) == nil && now < claims.Expires && now+skew > claims.NotBefore
}

// authorization takes an Authorization header apart. The value is
// unescaped once and split by hand: a form decoder would turn + into a space.
func authorization(header string) (kind, signature string, bad *refusal.Error) {
	if header == "" {
		return "", "", refusal.Unauthorized("Required Header authorization is missing.")
	}
	token, err := url.PathUnescape(header)
	if err != nil {
		return "", "", refusal.Unauthorized("The authorization header is not properly escaped.")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(token, "&") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	kind = fields["type"]
	if kind != "master" && kind != "aad" || fields["ver"] != "1.0" {
		return "", "", refusal.Unauthorized("Only authorization tokens of type=master or type=aad and ver=1.0 are accepted.")
	}
	return kind, fields["sig"], nil
}
