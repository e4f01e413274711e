package profile

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/document"
)

const (
	maxDisplayName    = 200     // characters
	maxEmail          = 254     // bytes: RFC 5321 §4.5.3.1.3 less the angle brackets
	maxBio            = 1 << 16 // bytes
	maxLocale         = 35      // bytes: RFC 5646 §4.4.1
	maxAttributes     = 200
	maxAttributeValue = 4096 // bytes
)

var attributeKey = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// addrSpec is RFC 5322 §3.4.1 without comments, folding and obsolete forms.
var addrSpec = func() *regexp.Regexp {
	const (
		atom    = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
		dotAtom = atom + `(?:\.` + atom + `)*`
		quoted  = `"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"`
		literal = `\[[\x21-\x5a\x5e-\x7e]*\]`
	)
	return regexp.MustCompile(`^(?:` + dotAtom + `|` + quoted + `)@(?:` + dotAtom + `|` + literal + `)$`)
}()

// languageTag is the langtag and privateuse of RFC 5646 §2.1: any case, no lookup of
// what is registered.
var languageTag = regexp.MustCompile(`(?i)^(?:` +
	`(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})` + // language
	`(?:-[a-z]{4})?` + // script
	`(?:-(?:[a-z]{2}|[0-9]{3}))?` + // region
	`(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*` + // variants
	`(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*` + // extensions
	`(?:-x(?:-[a-z0-9]{1,8})+)?` + // private use
	`|x(?:-[a-z0-9]{1,8})+)$`)

func (p Profile) validate(bad *entity.Faults) {
	switch n := utf8.RuneCountInString(p.DisplayName); {
	case n == 0:
		bad.Add("displayName", "is required")
	case n > maxDisplayName:
		bad.Add("displayName", "must have at most %d characters, not %d", maxDisplayName, n)
	case strings.ContainsFunc(p.DisplayName, breaksLine):
		bad.Add("displayName", "must not contain control characters")
	}
	switch {
	case len(p.Email) > maxEmail:
		bad.Add("email", "must have at most %d bytes, not %d", maxEmail, len(p.Email))
	case p.Email != "" && !addrSpec.MatchString(p.Email):
		bad.Add("email", "must be an e-mail address like ada@example.com")
	}
	if len(p.Bio) > maxBio {
		bad.Add("bio", "must have at most %d bytes, not %d", maxBio, len(p.Bio))
	}
	switch {
	case len(p.Locale) > maxLocale:
		bad.Add("locale", "must have at most %d characters, not %d", maxLocale, len(p.Locale))
	case p.Locale != "" && !languageTag.MatchString(p.Locale):
		bad.Add("locale", "must be a language tag like en or pt-BR")
	}
	p.validateAttributes(bad)
}

func (p Profile) validateAttributes(bad *entity.Faults) {
	if len(p.Attributes) > maxAttributes {
		bad.Add("attributes", "must have at most %d entries, not %d", maxAttributes, len(p.Attributes))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(p.Attributes)) {
		switch n := len(p.Attributes[key]); {
		case !attributeKey.MatchString(key):
			bad.Add(attributeField(key), "must have a key of 1 to 64 letters, digits, '.', '_' and '-'")
		case n > maxAttributeValue:
			bad.Add(attributeField(key), "must have at most %d bytes, not %d", maxAttributeValue, n)
		}
	}
}

func attributeField(key string) string { return "attributes." + document.Clip(key) }

// breaksLine finds what would break a single line apart: control characters and
// Unicode's own line and paragraph separators.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
