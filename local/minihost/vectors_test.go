package minihost

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// knownDifferences are the recorded exchanges in which this host differs from
// the real one on purpose; docs/compat.md gives the reasons.
var knownDifferences = []string{}

type vector struct {
	Name, Kind     string
	ClientSends    json.RawMessage `json:"client_sends"`
	HandlerAnswers json.RawMessage `json:"handler_answers"`
	Deliveries     *int
	HandlerGets    []struct {
		Line    string
		Headers [][2]string
		Body    json.RawMessage
	} `json:"handler_gets"`
	ClientGets struct {
		Status  string
		Headers [][2]string
		Body    json.RawMessage
		Timeout bool
	} `json:"client_gets"`
}

// The recorded exchanges of the real host: testdata/host-invocations.json.
func TestVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/host-invocations.json")
	require.NoError(t, err)
	var file struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(raw, &file))
	var differing []string
	for _, kind := range []string{"forward", "default", "admin"} {
		custom := ""
		if kind != "default" {
			custom = forwardOn
		}
		s := start(t, map[string]string{
			"host.json": hostJSON(t, custom, ""), "WriteProfile/function.json": writeJSON, "ReadProfile/function.json": readJSON,
			"OutboxDispatcher/function.json": sweepJSON,
		}, ok, func(o *Options) { o.Hosts = []string{"relaybox.test", "api.example"} })
		n := 0
		for _, c := range file.Cases {
			if c.Kind != kind {
				continue
			}
			n++
			if d := replay(t, s, c); d != "" {
				differing = append(differing, c.Name)
				t.Logf("%s: %s: %s", kind, c.Name, d)
			}
		}
		require.NotZero(t, n, kind)
	}
	require.Equal(t, knownDifferences, append([]string{}, differing...))
}

// replay sends one recorded request and names the first difference.
func replay(t *testing.T, s *started, c vector) string {
	answer := expand(t, c.HandlerAnswers)
	closes := answer == "(closes the connection)"
	if closes {
		s.handler.script(ok)
		exchangeRaw(t, s.addr, "GET /api/profiles/warm HTTP/1.1\r\nHost: localhost\r\n\r\n")
		answer = ""
	}
	s.handler.script(func(seen) string { return answer })
	sends := expand(t, c.ClientSends)
	status, fs, body := exchangeRaw(t, s.addr, sends)
	want := len(c.HandlerGets)
	if c.Deliveries != nil {
		want = *c.Deliveries
	}
	if c.Kind == "admin" && want > 0 {
		s.handler.wait(t, func(r seen) bool { return strings.HasPrefix(r.line, "POST /OutboxDispatcher") })
	}
	got := s.handler.requests()
	if len(got) != want {
		return fmt.Sprintf("the handler got %d requests, not %d", len(got), want)
	}
	if want > 0 {
		w := c.HandlerGets[0]
		if line := squeeze(got[0].line); line != w.Line {
			return fmt.Sprintf("the handler got %q, not %q", line, w.Line)
		}
		var skip []string
		if c.Kind != "forward" {
			skip = []string{"content-length"}
		}
		if d := compareFields(pairs(w.Headers), got[0].fields, skip); d != "" {
			return "the handler got " + d
		}
		if a, b := comparable(t, string(got[0].body)), comparable(t, expandText(t, w.Body)); a != b {
			return fmt.Sprintf("the handler got body %.300q, not %.300q", a, b)
		}
	}
	if wantStatus, _, _ := strings.Cut(c.ClientGets.Status, " "); wantStatus != status {
		return fmt.Sprintf("the client got %q, not %q", status, wantStatus)
	}
	if d := compareFields(pairs(c.ClientGets.Headers), fs, []string{"date", "server", "content-length", "transfer-encoding", "connection"}); d != "" {
		return "the client got " + d
	}
	if a, b := comparable(t, body), comparable(t, expandText(t, c.ClientGets.Body)); c.Kind != "admin" && a != b {
		return fmt.Sprintf("the client got body %.300q, not %.300q", a, b)
	}
	return ""
}

// exchangeRaw sends bytes on a connection of their own and reads the answer.
func exchangeRaw(t *testing.T, addr, raw string) (status string, fs wire.Fields, body string) {
	t.Helper()
	c, err := net.Dial("tcp4", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, raw)
	require.NoError(t, err)
	method, _, _ := strings.Cut(raw, " ")
	a, _, _, err := wire.ReadAnswer(bufio.NewReader(c), nil, method)
	require.NoError(t, err, raw)
	return strconv.Itoa(a.Status), a.Fields, string(a.Body)
}

var repeated = regexp.MustCompile(`(?s)\{(.)\*(\d+)\}`)

// expand turns a recorded text, or its base64 form, into bytes.
func expand(t *testing.T, raw json.RawMessage) string {
	return repeated.ReplaceAllStringFunc(expandText(t, raw), func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[2])
		require.NoError(t, err)
		return strings.Repeat(parts[1], n)
	})
}

func expandText(t *testing.T, raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var binary struct{ Base64 string }
	require.NoError(t, json.Unmarshal(raw, &binary))
	b, err := base64.StdEncoding.DecodeString(binary.Base64)
	require.NoError(t, err)
	return string(b)
}

// squeeze writes long runs of one byte as the recording does.
func squeeze(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && text[j] == text[i] {
			j++
		}
		if j-i >= 800 {
			fmt.Fprintf(&out, "{%c*%d}", text[i], j-i)
		} else {
			out.WriteString(text[i:j])
		}
		i = j
	}
	return out.String()
}

var varying = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`("UtcNow":")[^"]+`), "${1}{now}"},
	{regexp.MustCompile(`("RandGuid":")[^"]+`), "${1}{guid}"},
	{regexp.MustCompile(`("(?:Last|Next|LastUpdated)":")[^"]+`), "${1}{time}"},
}

// comparable is a body without what varies; JSON without its order.
func comparable(t *testing.T, text string) string {
	text = squeeze(text)
	for _, v := range varying {
		text = v.re.ReplaceAllString(text, v.with)
	}
	var doc any
	if json.Unmarshal([]byte(text), &doc) == nil {
		b, err := json.Marshal(doc)
		require.NoError(t, err)
		return string(b)
	}
	return text
}

func pairs(list [][2]string) wire.Fields {
	var fs wire.Fields
	for _, p := range list {
		fs = append(fs, wire.Field{Name: p[0], Value: p[1]})
	}
	return fs
}

var (
	guidText    = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}`)
	agentText   = regexp.MustCompile(`Azure-Functions-Host/[\w.{}-]+`)
	handlerText = regexp.MustCompile(`^127\.0\.0\.1:\d+$`)
)

// compareFields compares headers without order and without what varies.
func compareFields(want, got wire.Fields, skip []string) string {
	normal := func(fs wire.Fields) []string {
		var list []string
		for _, f := range fs {
			name, value := strings.ToLower(f.Name), squeeze(f.Value)
			if slices.Contains(skip, name) {
				continue
			}
			switch name {
			case "x-azure-functions-invocationid":
				value = guidText.ReplaceAllString(value, "{invocation}")
			case "x-azure-functions-hostversion":
				value = "{version}"
			case "user-agent":
				value = agentText.ReplaceAllString(value, "Azure-Functions-Host/{version}")
			case "host":
				value = handlerText.ReplaceAllString(value, "{handler}")
			}
			list = append(list, name+": "+value)
		}
		slices.Sort(list)
		return list
	}
	w, g := normal(want), normal(got)
	if !slices.Equal(w, g) {
		return fmt.Sprintf("headers %q, not %q", g, w)
	}
	return ""
}
