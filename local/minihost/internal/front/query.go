package front

import "strings"

// queryPair is one parameter; values of one name, whatever its case, are
// together.
type queryPair struct {
	name   string
	values []string
}

// parseQuery reads a query as ASP.NET does.
func parseQuery(raw string) []queryPair {
	var list []queryPair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = queryText(name), queryText(value)
		found := false
		for i := range list {
			if strings.EqualFold(list[i].name, name) {
				list[i].values, found = append(list[i].values, value), true
				break
			}
		}
		if !found {
			list = append(list, queryPair{name, []string{value}})
		}
	}
	return list
}

func queryText(s string) string {
	return unescape(strings.ReplaceAll(s, "+", " "), nil)
}

// rebuildQuery writes the parsed query again: values of one name joined by
// commas, escaped by the web encoder's rules.
func rebuildQuery(pairs []queryPair) string {
	var out strings.Builder
	for i, p := range pairs {
		out.WriteByte("?&"[min(i, 1)])
		webEncode(&out, p.name)
		out.WriteByte('=')
		webEncode(&out, strings.Join(p.values, ","))
	}
	return out.String()
}

// webEncode escapes all but letters, digits and "!$()*,-.;@_~".
func webEncode(out *strings.Builder, s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved(c) || strings.IndexByte("!$()*,;@", c) >= 0 {
			out.WriteByte(c)
		} else {
			escapeByte(out, c)
		}
	}
}

// QueryValue is the last value of a parameter, whatever the case of its name; "" if
// there is none.
func (req *Request) QueryValue(name string) string {
	for _, q := range parseQuery(req.query) {
		if strings.EqualFold(q.name, name) {
			return q.values[len(q.values)-1]
		}
	}
	return ""
}
