package topology

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/jsonc"
)

// Load reads the official emulator's Config.json. Comments and trailing commas are allowed, keys that the
// emulator does not know and values that it forbids are not. All faults are reported together, each with the path of
// its key and the remedy.
func Load(r io.Reader) (*Config, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read broker configuration: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(jsonc.ToJSON(text)))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		return nil, fmt.Errorf("%w: not JSON: %w", ErrConfig, err)
	}
	l := &loader{}
	c := &Config{}
	l.object("", root, keys{"UserConfig": required(func(path string, v any) { l.user(path, v, c) })})
	if len(l.faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrConfig, errors.Join(l.faults...))
	}
	return c, nil
}

// loader collects faults.
type loader struct{ faults []error }

// keys are those that an object may have.
type keys map[string]keyReader

// keyReader reads the value of one key.
type keyReader struct {
	read     func(path string, v any)
	required bool
}

func required(read func(string, any)) keyReader { return keyReader{read, true} }
func allowed(read func(string, any)) keyReader  { return keyReader{read, false} }

func (l *loader) fault(path, format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf("%s: %s", cmp.Or(path, "the file"), fmt.Sprintf(format, args...)))
}

// object reads the keys of an object in the order of their names.
func (l *loader) object(path string, v any, known keys) {
	m, ok := v.(map[string]any)
	if !ok {
		l.fault(path, "must be an object")
		return
	}
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if value, ok := m[name]; ok {
			known[name].read(join(path, name), value)
		} else if known[name].required {
			l.fault(join(path, name), "is missing: add it")
		}
	}
	var unknown []string
	for name := range m {
		if _, ok := known[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		l.fault(join(path, name), "is not a key that belongs here: remove it (known are %s)", strings.Join(names, ", "))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (l *loader) list(path string, v any, least, most int, each func(path string, v any)) {
	list, ok := v.([]any)
	switch {
	case !ok:
		l.fault(path, "must be a list")
	case len(list) < least || len(list) > most:
		l.fault(path, "has %d elements, allowed are %d to %d", len(list), least, most)
	default:
		for i, e := range list {
			each(path+"["+strconv.Itoa(i)+"]", e)
		}
	}
}

func (l *loader) text(p *string) keyReader {
	return allowed(func(path string, v any) {
		var ok bool
		if *p, ok = v.(string); !ok {
			l.fault(path, "must be a string")
		}
	})
}

func (l *loader) flag(p *bool) keyReader {
	return allowed(func(path string, v any) {
		var ok bool
		if *p, ok = v.(bool); !ok {
			l.fault(path, "must be true or false")
		}
	})
}

func (l *loader) number(p *int, least, most int) keyReader {
	return allowed(func(path string, v any) {
		n, err := strconv.Atoi(fmt.Sprint(v))
		if _, ok := v.(json.Number); !ok || err != nil || n < least || n > most {
			l.fault(path, "is %v, allowed are whole numbers from %d to %d", v, least, most)
			return
		}
		*p = n
	})
}

func (l *loader) duration(p *time.Duration, least, most time.Duration) keyReader {
	return allowed(func(path string, v any) {
		s, _ := v.(string)
		d, ok := ParseDuration(s)
		switch {
		case !ok:
			l.fault(path, "is %v, which is no ISO 8601 duration: write it like \"PT1M\"", v)
		case d < least || d > most:
			l.fault(path, "is %s, allowed are %v to %v", s, least, most)
		default:
			*p = d
		}
	})
}

var entityName = regexp.MustCompile(`^[A-Za-z0-9]$|^[A-Za-z0-9][\w\-./]*[A-Za-z0-9]$`)

func (l *loader) name(p *string) keyReader {
	return required(func(path string, v any) {
		s, ok := v.(string)
		if !ok || !entityName.MatchString(s) {
			l.fault(path, "is %v, which is no entity name: use letters, digits and - _ . / inside, letters or digits at both ends", v)
			return
		}
		*p = s
	})
}
