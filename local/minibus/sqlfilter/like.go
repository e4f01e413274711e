package sqlfilter

// alike is LIKE: % stands for any text, _ for one character, and what follows the
// escape character for itself.
type alike struct {
	of, pattern node
	escape      rune // 0: none
}

func (alike) predicate() bool { return true }

func (a alike) eval(m Message) (any, error) {
	of, pattern, err := both(m, a.of, a.pattern)
	if err != nil {
		return nil, err
	}
	s, isText := of.(string)
	p, isPattern := pattern.(string)
	if !isText || !isPattern {
		return nil, nil
	}
	return match([]rune(s), a.compile(p)), nil
}

// rules of one place in a pattern; every other value is the character itself.
const (
	anyText = -1
	anyOne  = -2
)

func (a alike) compile(pattern string) []rune {
	var out []rune
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			out, escaped = append(out, r), false
		case a.escape != 0 && r == a.escape:
			escaped = true
		case r == '%':
			out = append(out, anyText)
		case r == '_':
			out = append(out, anyOne)
		default:
			out = append(out, r)
		}
	}
	return out
}

// match goes back to the last % only, so it takes no more than len(s) × len(p) steps.
func match(s, p []rune) bool {
	i, j, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == anyText:
			star, from = j, i
			j++
		case j < len(p) && (p[j] == anyOne || p[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == anyText {
		j++
	}
	return j == len(p)
}
