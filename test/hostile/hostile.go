// Package hostile is what clients and hosts may send to the app that they should not: a
// table of requests and one of invocations, with the answer that each must get.
//
// The tables are text, testdata/requests.txt and testdata/invocations.txt, whose heads say
// how they are read. They are run against the whole app in memory (this package's tests) and
// over sockets (test/e2e): the requests through minihost and the real handler, the invocations
// at that handler's port, those that a broker can bring through the topic too. They are the
// seeds of the fuzzing (fuzz). After every case the same is checked: nothing is stored unless
// the answer acknowledged it.
package hostile

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed testdata/*.txt
var tables embed.FS

// Want is the answer that a case must get.
type Want struct {
	Status int
	// Kind is the problem's type without its prefix, or the reason of a refused event; "" where
	// the answer tells no problem.
	Kind string
	// Says is a part of the answer's body, or of the refusal's text.
	Says string
}

// Case is one request or invocation.
type Case struct {
	Name   string
	Method string
	Target string
	Header [][2]string
	Body   string
	// HasBody: a body was named, though it may be empty.
	HasBody bool
	// Wants by the state that the request meets ("absent", "exists"), or by who answers
	// ("host"); "" is any other.
	Wants map[string]Want

	message message
}

// Want is the answer that is wanted in a state.
func (c Case) Want(state string) Want {
	if w, ok := c.Wants[state]; ok {
		return w
	}
	return c.Wants[""]
}

// ETag stands in a table for the current entity tag.
const ETag = "⟦etag⟧"

// Bytes is the request as it goes over the wire, to the host.
func (c Case) Bytes(host, etag string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.Method, c.Target, host)
	sized, typed := false, false
	for _, h := range c.Header {
		typed = typed || strings.EqualFold(h[0], "Content-Type")
		if h[1] == "-" {
			continue
		}
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], strings.ReplaceAll(h[1], ETag, etag))
		sized = sized || strings.EqualFold(h[0], "Content-Length") || strings.EqualFold(h[0], "Transfer-Encoding")
	}
	if c.HasBody && !typed {
		out.WriteString("Content-Type: application/json\r\n")
	}
	if c.HasBody && !sized {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(c.Body))
	}
	fmt.Fprintf(&out, "\r\n%s", c.Body)
	return out.Bytes()
}

// Named is a copy of the case for another entity: id stands for p-1 and o-1.
func (c Case) Named(id string) Case {
	c.Target = strings.NewReplacer("/p-1", "/"+id, "/o-1", "/"+id).Replace(c.Target)
	return c
}

// Requests are the hostile requests.
func Requests() []Case { return read("requests.txt") }

// Invocations are the hostile invocations; Target is the function.
func Invocations() []Case { return read("invocations.txt") }

// read panics where a table cannot be read: no test is at hand, and the table is ours.
func read(file string) []Case {
	text, err := tables.ReadFile("testdata/" + file)
	if err != nil {
		panic(err)
	}
	var all []Case
	for n, line := range strings.Split(string(text), "\n") {
		if err := add(&all, strings.TrimRight(line, "\r")); err != nil {
			panic(fmt.Sprintf("testdata/%s:%d: %v", file, n+1, err))
		}
	}
	for _, c := range all {
		if len(c.Wants) == 0 || c.Method == "" {
			panic(fmt.Sprintf("testdata/%s: %q lacks its request or its answer", file, c.Name))
		}
	}
	return all
}

// add reads a line of a table.
func add(all *[]Case, line string) error {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	if name, ok := strings.CutPrefix(line, "-- "); ok {
		if slices.ContainsFunc(*all, func(c Case) bool { return c.Name == name }) {
			return fmt.Errorf("%q is there twice", name)
		}
		*all = append(*all, Case{Name: name, Wants: map[string]Want{}})
		return nil
	}
	if len(*all) == 0 {
		return fmt.Errorf("a case begins with --")
	}
	c := &(*all)[len(*all)-1]
	if want, ok := strings.CutPrefix(line, "-> "); ok {
		return c.addWant(want)
	}
	if literal, ok := strings.CutPrefix(line, "= "); ok {
		text, err := strconv.Unquote(literal)
		c.Body, c.HasBody = c.Body+expand(text), true
		return err
	}
	if sign, text := line[0], line[1:]; strings.IndexByte("+$~", sign) >= 0 {
		return c.addMessage(sign, strings.TrimPrefix(text, " "))
	}
	if c.Method == "" {
		method, target, ok := strings.Cut(line, " ")
		c.Method, c.Target = method, expand(target)
		if !ok {
			return fmt.Errorf("%q is no METHOD TARGET", line)
		}
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%q is no header", line)
	}
	c.Header = append(c.Header, [2]string{expand(name), expand(strings.TrimPrefix(value, " "))})
	return nil
}

var states = []string{"absent", "exists", "host"}

func (c *Case) addWant(text string) error {
	state, rest, _ := strings.Cut(text, " ")
	if !slices.Contains(states, state) {
		state, rest = "", text
	}
	status, rest, _ := strings.Cut(rest, " ")
	kind, says, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(status)
	c.Wants[state] = Want{n, kind, says}
	return err
}

var repeated = regexp.MustCompile(`⟦([^⟧]*)\*(\d+)⟧`)

// expand writes ⟦x*3⟧ out as xxx.
func expand(s string) string {
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		part := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(part[2])
		return strings.Repeat(part[1], n)
	})
}

// Problem is the name of the problem in an answer's body, "" when it holds none.
func Problem(header http.Header, body []byte) string {
	if header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	found := regexp.MustCompile(`"type":"(?:urn:relaybox:problem:)?([^"]*)"`).FindSubmatch(body)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// Check compares an answer with what is wanted.
func (w Want) Check(status int, header http.Header, body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	kind := Problem(header, text)
	if status != w.Status || kind != w.Kind || !strings.Contains(string(text), w.Says) {
		return fmt.Errorf("answered %d %s, not %d %s with %q: %.600s", status, kind, w.Status, w.Kind, w.Says, text)
	}
	return nil
}
