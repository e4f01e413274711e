// Package profile is the example domain: what a profile is, which ones are allowed,
// which events a change makes and what a consumer makes of them. Copy this package
// for an entity of your own.
//
// It promises:
//
//   - Decode lets through exactly what the limits allow, and says about anything else
//     all that is wrong with it at once, or where the text stops being JSON;
//   - two profiles are Equal if and only if Encode gives the same bytes, so that a
//     write which changes nothing can be told from one that does;
//   - Changes and Apply are inverse: whoever applies the events of a history in order
//     holds the profile that the history ends with;
//   - the event of a deletion carries the id and nothing of the person.
//
// It does not promise that an address can receive mail or that a locale exists: only
// their shape is checked. It knows no HTTP, no store and no outbox; everything in it
// is a pure function.
//
// # States of a profile
//
//	             created                    deleted
//	(no profile) ───────→ profile ─┐ ─────────────────→ (no profile)
//	                         ↑     │ updated, and email-changed after it
//	                         └─────┘ when the address is another one
package profile

import (
	"encoding/json"
	"maps"
	"regexp"
)

// Profile is what is known about one person. Only DisplayName is required; a field
// that is empty and a field that is left out are the same.
type Profile struct {
	// DisplayName: 1 to 200 characters, no control characters.
	DisplayName string `json:"displayName"`
	// Email: an RFC 5322 addr-spec of at most 254 bytes, without comments and folding.
	Email string `json:"email,omitempty"`
	// Bio: free text of at most 65,536 bytes.
	Bio string `json:"bio,omitempty"`
	// Locale: the shape of a BCP 47 language tag, at most 35 characters.
	Locale string `json:"locale,omitempty"`
	// Attributes: at most 200; keys of 1 to 64 letters, digits, '.', '_' and '-',
	// values of at most 4,096 bytes.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Equal says whether p and q are the same profile.
func (p Profile) Equal(q Profile) bool {
	return p.DisplayName == q.DisplayName && p.Email == q.Email && p.Bio == q.Bio &&
		p.Locale == q.Locale && maps.Equal(p.Attributes, q.Attributes)
}

// Encode returns the canonical JSON of p: fixed order, empty fields left out, keys of
// attributes sorted.
func (p Profile) Encode() json.RawMessage {
	text, _ := json.Marshal(p) // strings and maps of strings always encode
	return text
}

// safeID is the set of ids that a URL path carries unchanged through every hop
// (RFC 3986, unreserved characters).
var safeID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)

// ValidID says whether id can name a profile: 1 to 128 of the characters that no URL
// ever needs to escape, but not "." and "..", which a path does not keep.
func ValidID(id string) bool {
	return safeID.MatchString(id) && id != "." && id != ".."
}
