package profile

import (
	"encoding/json"
	"maps"
	"slices"
)

// fieldNames are the members of a profile's JSON object.
var fieldNames = []string{"displayName", "email", "bio", "locale", "attributes"}

// Decode reads the JSON text of one profile and checks it against every limit.
// It fails with *SyntaxError, *UnknownFieldError, *DuplicateFieldError, or with one
// *InvalidError that names every field of a wrong type or value.
func Decode(data []byte) (Profile, error) {
	doc, err := parse(data)
	if err != nil {
		return Profile{}, err
	}
	if doc.kind() != "an object" {
		return Profile{}, &InvalidError{[]FieldError{{"$", "must be an object, not " + doc.kind()}}}
	}
	fields, err := doc.members(fieldNames)
	if err != nil {
		return Profile{}, err
	}
	var (
		p   Profile
		bad InvalidError
	)
	bad.text("displayName", fields["displayName"], &p.DisplayName)
	bad.text("email", fields["email"], &p.Email)
	bad.text("bio", fields["bio"], &p.Bio)
	bad.text("locale", fields["locale"], &p.Locale)
	if err := bad.attributes(fields["attributes"], &p.Attributes); err != nil {
		return Profile{}, err
	}
	p.validate(&bad)
	if err := bad.orNil(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

// CheckPatch reads a merge patch as strictly as Decode reads a profile, without
// looking at values: those show when the patched profile is decoded. What is no
// object passes, because RFC 7396 makes it replace the whole document.
func CheckPatch(data []byte) error {
	doc, err := parse(data)
	if err != nil || doc.kind() != "an object" {
		return err
	}
	fields, err := doc.members(fieldNames)
	if err != nil {
		return err
	}
	if attrs := fields["attributes"]; attrs.kind() == "an object" {
		_, err = attrs.members(nil)
	}
	return err
}

// text reads a string member; one that is left out stays empty.
func (e *InvalidError) text(field string, v value, into *string) {
	switch v.kind() {
	case "":
	case "a string":
		_ = json.Unmarshal(v.raw, into) // parse has checked it
	default:
		e.add(field, "must be a string, not %s", v.kind())
	}
}

// attributes reads the map of strings. Its error is about names, not about values.
func (e *InvalidError) attributes(v value, into *map[string]string) error {
	switch v.kind() {
	case "":
		return nil
	case "an object":
	default:
		e.add("attributes", "must be an object of strings, not %s", v.kind())
		return nil
	}
	entries, err := v.members(nil)
	if err != nil {
		return err
	}
	if len(entries) > maxAttributes {
		// One fault instead of thousands, so that the answer stays small.
		e.add("attributes", "must have at most %d entries, not %d", maxAttributes, len(entries))
		return nil
	}
	*into = make(map[string]string, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		var s string
		e.text(attributeField(key), entries[key], &s)
		(*into)[key] = s
	}
	return nil
}
