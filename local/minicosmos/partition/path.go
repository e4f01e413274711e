package partition

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Path splits a path of properties as definitions and policies write it: /a/b, or /"a b"/"c/d" with names in quotes. In
// place of a name there may be one of the words that are given, like * or [].
func Path(path string, words ...string) (segments []string, err error) {
	bad := fmt.Errorf("%w: path %q", ErrDefinition, path)
	rest := path
	for rest != "" {
		if rest[0] != '/' {
			return nil, bad
		}
		rest = rest[1:]
		if !strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest+"/", '/')
			name := rest[:end]
			if name == "" || strings.ContainsAny(name, "*?[]") && !slices.Contains(words, name) {
				return nil, bad
			}
			segments, rest = append(segments, name), rest[end:]
			continue
		}
		quoted := json.NewDecoder(strings.NewReader(rest))
		var name string
		if err := quoted.Decode(&name); err != nil || name == "" {
			return nil, bad
		}
		segments, rest = append(segments, name), rest[quoted.InputOffset():]
	}
	if len(segments) == 0 {
		return nil, bad
	}
	return segments, nil
}
