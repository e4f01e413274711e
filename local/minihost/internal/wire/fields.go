package wire

import "strings"

// Field is one header line, its name as sent.
type Field struct{ Name, Value string }

// Fields are header lines in the order of the wire; a name may come more than once.
type Fields []Field

// Get is the value of the first line of a name, in any case.
func (f Fields) Get(name string) (string, bool) {
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			return f[i].Value, true
		}
	}
	return "", false
}

// Values are the values of all lines of a name, in any case.
func (f Fields) Values(name string) []string {
	var all []string
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			all = append(all, f[i].Value)
		}
	}
	return all
}

// Has reports whether there is a line of a name, in any case.
func (f Fields) Has(name string) bool {
	_, ok := f.Get(name)
	return ok
}

// Token reports whether a comma-separated header holds a token.
func (f Fields) Token(name, token string) bool {
	for i := range f {
		if !strings.EqualFold(f[i].Name, name) {
			continue
		}
		for part := range strings.SplitSeq(f[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// maxFields is the limit of the real host's web server.
const maxFields = 100

// Token reports whether s is an RFC 9110 token.
func Token(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// AppendFields writes header lines.
func AppendFields(b []byte, fs Fields) []byte {
	for i := range fs {
		b = append(b, fs[i].Name...)
		b = append(b, ": "...)
		b = append(b, fs[i].Value...)
		b = append(b, "\r\n"...)
	}
	return b
}
