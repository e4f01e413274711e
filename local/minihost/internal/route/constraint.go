package route

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var wordConstraints = map[string]*regexp.Regexp{
	"alpha":    regexp.MustCompile(`(?i)^[a-z]*$`),
	"bool":     regexp.MustCompile(`(?i)^(true|false)$`),
	"guid":     regexp.MustCompile(`(?i)^[{(]?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}[)}]?$`),
	"double":   regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`),
	"required": regexp.MustCompile(`.`),
}

func constraint(name, argument string) (func(string) bool, error) {
	switch name = strings.ToLower(name); name {
	case "regex":
		return regexConstraint(argument)
	case "int", "long":
		size := map[string]int{"int": 32, "long": 64}[name]
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, size); return err == nil }, nil
	case "decimal", "float":
		name = "double"
	case "maxlength", "minlength", "length", "min", "max", "range":
		return boundConstraint(name, argument)
	}
	if re := wordConstraints[name]; re != nil {
		return re.MatchString, nil
	}
	return nil, fmt.Errorf("unknown constraint %q", name)
}

// regexConstraint: doubled braces stand for single ones, and case is ignored.
func regexConstraint(pattern string) (func(string) bool, error) {
	pattern = strings.NewReplacer("{{", "{", "}}", "}").Replace(pattern)
	re, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("regex constraint: %w (look-around and back references do not work in this local host)", err)
	}
	return re.MatchString, nil
}

func boundConstraint(name, argument string) (func(string) bool, error) {
	low, high, two := strings.Cut(argument, ",")
	a, err := strconv.ParseInt(strings.TrimSpace(low), 10, 64)
	b := a
	if err == nil && two {
		b, err = strconv.ParseInt(strings.TrimSpace(high), 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("constraint %s(%s): not a number", name, argument)
	}
	// .NET counts UTF-16 code units.
	length := func(v string) int64 {
		n := int64(utf8.RuneCountInString(v))
		for _, r := range v {
			if r > 0xFFFF {
				n++
			}
		}
		return n
	}
	value := func(v string) (int64, bool) { n, err := strconv.ParseInt(v, 10, 64); return n, err == nil }
	switch name {
	case "maxlength":
		return func(v string) bool { return length(v) <= a }, nil
	case "minlength":
		return func(v string) bool { return length(v) >= a }, nil
	case "length":
		return func(v string) bool { n := length(v); return n >= a && n <= b }, nil
	case "min":
		return func(v string) bool { n, ok := value(v); return ok && n >= a }, nil
	case "max":
		return func(v string) bool { n, ok := value(v); return ok && n <= a }, nil
	default:
		return func(v string) bool { n, ok := value(v); return ok && n >= a && n <= b }, nil
	}
}
