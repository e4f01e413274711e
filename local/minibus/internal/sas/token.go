package sas

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature is a SAS token that has been checked but for its scope.
type Signature struct {
	Resource string // URI for which it was made
	until    time.Time
	Claims   map[Claim]bool
	ofEntity bool // a key of an entity has made it
}

// Keyring is the policies of a broker, by name.
type Keyring map[string]Policy

// policies are those of a name: an entity's, of which rules are all, and the broker's.
func (k Keyring) policies(name string, rules []Rule) (list []Policy, ofEntity int) {
	for _, r := range rules {
		if r.Name == name {
			list = append(list, Policy{name, r.Primary, r.Claims}, Policy{name, r.Secondary, r.Claims})
		}
	}
	ofEntity = len(list)
	if p, known := k[name]; known {
		list = append(list, p)
	}
	return list, ofEntity
}

// Authenticate checks the signature and the expiry of a SAS token, or returns the text that refuses it. rules are those of
// the entity that it is shown for.
func (k Keyring) Authenticate(token string, now time.Time, rules []Rule) (s Signature, refusal string) {
	text, ok := strings.CutPrefix(token, Prefix)
	if !ok {
		return s, "InvalidToken: The token is not a shared access signature."
	}
	fields := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		fields[name] = value
	}
	name, err := url.QueryUnescape(fields["skn"])
	policies, ofEntity := k.policies(name, rules)
	if err != nil || len(policies) == 0 {
		return s, fmt.Sprintf("InvalidSignature: The token names the key '%s', which does not exist.", name)
	}
	by := slices.IndexFunc(policies, func(p Policy) bool { return signed(p.Key, fields["sr"], fields["se"], fields["sig"]) })
	if by < 0 {
		return s, "InvalidSignature: The token has an invalid signature."
	}
	seconds, err := strconv.ParseInt(fields["se"], 10, 64)
	if err != nil {
		return s, fmt.Sprintf("InvalidToken: The token's expiry '%s' is no number.", fields["se"])
	}
	s.until = time.Unix(seconds, 0)
	if !now.Before(s.until) {
		return s, fmt.Sprintf("ExpiredToken: The token is expired. Expiration time: %s.", s.until.UTC().Format(time.RFC3339))
	}
	if s.Resource, err = url.QueryUnescape(fields["sr"]); err != nil {
		return s, fmt.Sprintf("InvalidToken: The token's resource '%s' is not well escaped.", fields["sr"])
	}
	s.Claims = map[Claim]bool{}
	s.ofEntity = by < ofEntity
	for _, c := range policies[by].Claims {
		s.Claims[c] = true
	}
	return s, ""
}

// Prefix is how every such token begins.
const Prefix = "SharedAccessSignature "

// Verify checks a SAS token for an audience and returns what it grants, whose scope is the caller's to find, or the text
// that refuses it. rules are those of the entity that the audience names.
func (k Keyring) Verify(token, audience string, now time.Time, rules []Rule) (g Grant, refusal string) {
	s, refusal := k.Authenticate(token, now, rules)
	if refusal != "" {
		return Grant{}, refusal
	}
	if !covers(authority(s.Resource), authority(audience)) {
		return Grant{}, WrongAudience(s.Resource, audience)
	}
	return Grant{Claims: s.Claims, Until: s.until.UnixMilli(), entity: s.ofEntity}, ""
}

// WrongAudience is the text that refuses a token for something else.
func WrongAudience(resource, audience string) string {
	return fmt.Sprintf("InvalidAudience: The token is for '%s' and not for '%s'.", resource, audience)
}

// signed checks a signature over the resource exactly as it was sent, a line feed and the expiry.
func signed(key, resource, expiry, signature string) bool {
	given, err := url.QueryUnescape(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(resource + "\n" + expiry))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return subtle.ConstantTimeCompare([]byte(want), []byte(given)) == 1
}

// authority is a URI without scheme and port, in lower case: clients do not agree on those.
func authority(uri string) string {
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		uri = rest
	}
	host, path, _ := strings.Cut(strings.ToLower(uri), "/")
	if h, _, ok := strings.Cut(host, ":"); ok {
		host = h
	}
	return strings.TrimSuffix(host+"/"+strings.Trim(path, "/"), "/")
}

// Reaches says whether the token was made for the path of a request or one above.
func (s Signature) Reaches(path string) bool {
	signed, err := signedPath(s.Resource)
	return err == nil && covers(signed, strings.ToLower(strings.Trim(path, "/")))
}

// signedPath is the path for which a token was made, in lower case and unescaped: the URL of a request with its
// query, of an entity, or the name of the namespace alone.
func signedPath(resource string) (string, error) {
	_, path, _ := strings.Cut(authority(resource), "/")
	path, _, _ = strings.Cut(path, "?")
	path, err := url.PathUnescape(path)
	return strings.ToLower(strings.Trim(path, "/")), err // again: what was escaped was not seen
}
