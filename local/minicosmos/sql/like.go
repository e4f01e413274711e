package sql

import "slices"

// pattern elements: a literal rune, one of a set, any one (_), any number (%).
type likeElement struct {
	any, many bool
	negated   bool
	set       []rune // pairs: from, to
}

func (l likeElement) matches(r rune) bool {
	if l.any {
		return true
	}
	in := false
	for i := 0; i < len(l.set); i += 2 {
		in = in || r >= l.set[i] && r <= l.set[i+1]
	}
	return in != l.negated
}

// comparedPerStep is how many characters a pattern is compared with in the time of a row.
const comparedPerStep = 64

// like matches a whole text against a LIKE pattern in time linear in their product; work, which
// hears what that takes, may end it.
func like(text, pattern, escape string, work func(rows int) error) bool {
	elements := parseLike([]rune(pattern), []rune(escape))
	runes := []rune(text)
	star, mark, e := -1, 0, 0
	compared := 0 // since work has heard of it
	for i := 0; i < len(runes); {
		if e < len(elements) {
			compared += 1 + len(elements[e].set)
		}
		switch {
		case e < len(elements) && elements[e].many:
			star, mark = e, i
			e++
		case e < len(elements) && elements[e].matches(runes[i]):
			e++
			i++
		case star >= 0 && work(1+compared/comparedPerStep) == nil: // let the last % take one more
			compared = 0
			mark++
			e, i = star+1, mark
		default:
			return false
		}
	}
	return !slices.ContainsFunc(elements[e:], func(l likeElement) bool { return !l.many })
}

func parseLike(p, escape []rune) []likeElement {
	var elements []likeElement
	closed := len(p) // behind the last bracket that closes
	for closed > 0 && p[closed-1] != ']' {
		closed--
	}
	for i := 0; i < len(p); i++ {
		switch r := p[i]; {
		case len(escape) == 1 && r == escape[0] && i+1 < len(p):
			i++
			elements = append(elements, likeElement{set: []rune{p[i], p[i]}})
		case r == '%':
			elements = append(elements, likeElement{many: true})
		case r == '_':
			elements = append(elements, likeElement{any: true})
		case r == '[' && i < closed:
			set, size := parseSet(p[i:closed])
			elements = append(elements, set)
			i += size - 1
		default:
			elements = append(elements, likeElement{set: []rune{r, r}})
		}
	}
	return elements
}

// parseSet takes [abc], [a-c], [^a]; an empty one is its bracket.
func parseSet(p []rune) (set likeElement, size int) {
	end := slices.Index(p, ']')
	if end <= 1 {
		return likeElement{set: []rune{'[', '['}}, 1
	}
	inside := p[1:end]
	if inside[0] == '^' && len(inside) > 1 {
		set.negated, inside = true, inside[1:]
	}
	for i := 0; i < len(inside); i++ {
		from, to := inside[i], inside[i]
		if i+2 < len(inside) && inside[i+1] == '-' {
			to = inside[i+2]
			i += 2
		}
		set.set = append(set.set, from, to)
	}
	return set, end + 1
}
