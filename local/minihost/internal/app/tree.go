package app

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/jsonc"

	"github.com/relaybox/relaybox/local/minihost/internal/timer"
)

// tree is a JSON document read the way .NET configuration reads it: comments
// allowed, keys in any case, scalars also as text.
type tree map[string]any

func parseTree(text []byte) (tree, error) {
	var t tree
	if err := json.Unmarshal(jsonc.ToJSON(text), &t); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if t == nil {
		return nil, fmt.Errorf("not a JSON object: null")
	}
	return t, nil
}

func (t tree) key(name string) string {
	for k := range t {
		if strings.EqualFold(k, name) {
			return k
		}
	}
	return name
}

// at is the value under a path; nil if there is none.
func (t tree) at(path ...string) any {
	var v any = map[string]any(t)
	for _, name := range path {
		switch node := v.(type) {
		case map[string]any:
			v = node[tree(node).key(name)]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// set stores text under a path and makes the objects on the way; an array is
// extended by its next index only.
func (t tree) set(path []string, value string) {
	node, key := map[string]any(t), t.key(path[0])
	if len(path) == 1 {
		node[key] = value
		return
	}
	if list, ok := node[key].([]any); ok && len(path) == 2 {
		i, err := strconv.Atoi(path[1])
		switch {
		case err == nil && i >= 0 && i < len(list):
			list[i] = value
		case err == nil && i == len(list):
			node[key] = append(list, value)
		}
		return
	}
	child, ok := node[key].(map[string]any)
	if !ok {
		child = map[string]any{}
		node[key] = child
	}
	tree(child).set(path[1:], value)
}

// reader takes typed values out of a tree and collects what is wrong.
type reader struct {
	tree   tree
	file   string
	faults []string
}

func (r *reader) fault(path []string, format string, args ...any) {
	r.faults = append(r.faults, r.file+": "+strings.Join(path, ".")+": "+fmt.Sprintf(format, args...))
}

func (r *reader) text(path ...string) string {
	switch v := r.tree.at(path...).(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, float64:
		return fmt.Sprint(v)
	default:
		r.fault(path, "must be text")
		return ""
	}
}

func (r *reader) flag(fallback bool, path ...string) bool {
	text := r.text(path...)
	if text == "" {
		return fallback
	}
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		r.fault(path, "is %q; write true or false", text)
	}
	return b
}

func (r *reader) number(fallback int, path ...string) int {
	text := r.text(path...)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.fault(path, "is %q; write a whole number", text)
	}
	return n
}

func (r *reader) span(fallback time.Duration, path ...string) time.Duration {
	text := r.text(path...)
	if text == "" {
		return fallback
	}
	d, err := timer.ParseTimeSpan(text)
	if err != nil {
		r.fault(path, "%v", err)
	}
	return d
}

// texts reads an array of text, or the object with numeric keys that
// environment overrides make.
func (r *reader) texts(path ...string) []string {
	var list []string
	for i := 0; ; i++ {
		item := append(path[:len(path):len(path)], strconv.Itoa(i))
		if r.tree.at(item...) == nil {
			return list
		}
		list = append(list, r.text(item...))
	}
}
