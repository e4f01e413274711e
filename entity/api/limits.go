package api

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// limit notes what the tag limits of a field says in the schema of the field, and returns
// whether the field is required.
func limit(s *jsonschema.Schema, tag string) (required bool, err error) {
	for part := range strings.FieldsSeq(tag) {
		if part == "required" {
			required = true
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if err := set(s, name, value); err != nil {
			return false, fmt.Errorf("limits %q: %w", part, err)
		}
	}
	return required, nil
}

// set is one part of a tag. Its error is for the author of the kind.
func set(s *jsonschema.Schema, name, value string) error {
	if part, inner, ok := strings.Cut(name, "."); ok {
		into, err := below(s, part)
		if err != nil {
			return err
		}
		return set(into, inner, value)
	}
	switch name {
	case "pattern":
		s.Pattern = value
	case "enum":
		for v := range strings.SplitSeq(value, "|") {
			s.Enum = append(s.Enum, v)
		}
		if slices.Contains(s.Types, "null") {
			s.Enum = append(s.Enum, nil)
		}
	case "minimum":
		return number(&s.Minimum, value)
	case "maximum":
		return number(&s.Maximum, value)
	case "minLength":
		return count(&s.MinLength, value)
	case "maxLength":
		return count(&s.MaxLength, value)
	case "minItems":
		return count(&s.MinItems, value)
	case "maxItems":
		return count(&s.MaxItems, value)
	case "maxProperties":
		return count(&s.MaxProperties, value)
	default:
		return fmt.Errorf("there is no limit %q", name)
	}
	return nil
}

// below is the part of a list's or map's schema that a limit is about.
func below(s *jsonschema.Schema, part string) (*jsonschema.Schema, error) {
	switch {
	case part == "items" && s.Items != nil:
		return s.Items, nil
	case part == "values" && s.AdditionalProperties != nil:
		return s.AdditionalProperties, nil
	case part == "keys" && s.AdditionalProperties != nil:
		if s.PropertyNames == nil {
			s.PropertyNames = &jsonschema.Schema{}
		}
		return s.PropertyNames, nil
	}
	return nil, fmt.Errorf("the field has no %s", part)
}

func count(into **int, value string) error {
	n, err := strconv.Atoi(value)
	*into = &n
	return err
}

func number(into **float64, value string) error {
	n, err := strconv.ParseFloat(value, 64)
	*into = &n
	return err
}

// member is the name of a field in JSON, "" if it is not there.
func member(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case name == "-" || !f.IsExported():
		return ""
	case name == "":
		return f.Name
	}
	return name
}
