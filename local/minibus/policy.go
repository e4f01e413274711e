package minibus

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Claim is a right on an entity.
type Claim string

// The claims. Manage includes the other two.
const (
	Send   Claim = "Send"
	Listen Claim = "Listen"
	Manage Claim = "Manage"
)

// Policy is a shared access key and what it is good for.
type Policy struct {
	Name, Key string
	Claims    []Claim
}

// DefaultPolicy is the public key of the official emulator, with every claim.
var DefaultPolicy = Policy{Name: "RootManageSharedAccessKey", Key: "SAS_KEY_VALUE", Claims: []Claim{Manage, Send, Listen}}

// grant is what a token has given to a connection.
type grant struct {
	scope  string // path in lower case; "" is the namespace
	claims map[Claim]bool
	until  int64
}

// covers: a token for a path is good for everything below it.
func covers(scope, path string) bool {
	return scope == "" || path == scope || strings.HasPrefix(path, scope+"/")
}

// signature is a SAS token that has been checked but for its scope.
type signature struct {
	resource string // URI for which it was made
	until    time.Time
	claims   map[Claim]bool
}

// authenticate checks the signature and the expiry of a SAS token, or returns the text that refuses it.
func (b *broker) authenticate(token string, now time.Time) (s signature, refusal string) {
	text, ok := strings.CutPrefix(token, sasPrefix)
	if !ok {
		return s, "InvalidToken: The token is not a shared access signature."
	}
	fields := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		fields[name] = value
	}
	name, err := url.QueryUnescape(fields["skn"])
	policy, known := b.policies[name]
	if err != nil || !known {
		return s, fmt.Sprintf("InvalidSignature: The token names the key '%s', which does not exist.", name)
	}
	if !signed(policy.Key, fields["sr"], fields["se"], fields["sig"]) {
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
	if s.resource, err = url.QueryUnescape(fields["sr"]); err != nil {
		return s, fmt.Sprintf("InvalidToken: The token's resource '%s' is not well escaped.", fields["sr"])
	}
	s.claims = map[Claim]bool{}
	for _, c := range policy.Claims {
		s.claims[c] = true
	}
	return s, ""
}

const sasPrefix = "SharedAccessSignature "

// verify checks a SAS token for an audience and returns what it grants, or the text that refuses it.
func (b *broker) verify(token, audience string, now time.Time) (g grant, refusal string) {
	s, refusal := b.authenticate(token, now)
	if refusal != "" {
		return grant{}, refusal
	}
	if !covers(authority(s.resource), authority(audience)) {
		return grant{}, wrongAudience(s.resource, audience)
	}
	return grant{scope: strings.TrimSuffix(normalize(audience), suffixManagement), claims: s.claims, until: s.until.UnixMilli()}, ""
}

func wrongAudience(resource, audience string) string {
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
