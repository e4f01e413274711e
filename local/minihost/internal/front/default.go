package front

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/route"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// DefaultHead is the head of a default-protocol invocation, size the length of
// its body.
func DefaultHead(method, host, path, id string, size int) []byte {
	b := make([]byte, 0, 512)
	b = append(b, method+" "+path+" HTTP/1.1\r\nHost: "+host+"\r\n"...)
	if method == http.MethodPost {
		b = append(b, "Content-Type: application/json; charset=utf-8\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(size), 10)
		b = append(b, "\r\n"...)
	}
	return appendOwn(b, "", "", id)
}

// HTTPCall describes a client's request for the default protocol.
func HTTPCall(req *Request, params []route.Param, body []byte) azfunc.HTTPCall {
	host, _ := req.Fields.Get("Host")
	c := azfunc.HTTPCall{Method: req.Method, URL: "http://" + host + pathComponent(req.Path)}
	if req.query != "" {
		c.URL += "?" + strings.ReplaceAll(req.query, "#", "%23")
	}
	for _, q := range parseQuery(req.query) {
		c.Query = append(c.Query, azfunc.Pair{Name: q.name, Values: q.values})
	}
	for i, f := range req.Fields {
		if first(req.Fields, i) {
			c.Header = append(c.Header, azfunc.Pair{Name: canonical(f.Name), Values: values(req.Fields, i)})
		}
	}
	for _, p := range params {
		c.Params = append(c.Params, azfunc.Pair{Name: p.Name, Values: []string{p.Value}})
	}
	if len(body) > 0 {
		c.Body, c.Binary = bytes.TrimPrefix(body, []byte("\ufeff")), binaryBody(req)
	}
	return c
}

// values are all values of the name of field i; what the web server has
// rewritten is rewritten.
func values(fs wire.Fields, i int) []string {
	var list []string
	for _, f := range fs[i:] {
		if strings.EqualFold(f.Name, fs[i].Name) {
			list = append(list, f.Value)
		}
	}
	if strings.EqualFold(fs[i].Name, "Connection") && len(list) == 1 {
		list[0] = connectionValue(list[0])
	}
	return list
}

func binaryBody(req *Request) bool {
	v, _ := req.Fields.Get("Content-Type")
	media, _, _ := strings.Cut(strings.ToLower(v), ";")
	media = strings.TrimSpace(media)
	return media == "application/octet-stream" || strings.HasPrefix(media, "multipart/")
}

// knownHeaders are the names that the web server writes in its own case;
// others stay as the client sent them.
var knownHeaders = func() map[string]string {
	known := map[string]string{}
	for _, n := range strings.Fields(`Accept Accept-Charset Accept-Encoding Accept-Language Access-Control-Request-Headers
		Access-Control-Request-Method Alt-Used Authorization baggage Cache-Control Connection Content-Encoding Content-Language
		Content-Length Content-Location Content-MD5 Content-Range Content-Type Cookie Correlation-Context Date Expect Expires From
		Grpc-Accept-Encoding Grpc-Encoding Grpc-Timeout Host If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since
		Keep-Alive Last-Modified Max-Forwards Origin Pragma Proxy-Authorization Proxy-Connection Range Referer Request-Id TE
		traceparent tracestate Trailer Transfer-Encoding Translate Upgrade Upgrade-Insecure-Requests User-Agent Via Warning X-Requested-With`) {
		known[strings.ToLower(n)] = n
	}
	return known
}()

func canonical(name string) string {
	if n, ok := knownHeaders[strings.ToLower(name)]; ok {
		return n
	}
	return name
}

// pathComponent escapes a decoded path as ASP.NET shows it in a URL.
func pathComponent(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if _, escaped := escapeAt(path, i); escaped || unreserved(c) || strings.IndexByte("!$&'()*+,;=:@/", c) >= 0 {
			out.WriteByte(c)
		} else {
			escapeByte(&out, c)
		}
	}
	return out.String()
}

var errHTTPOutput = errors.New(`the http output must be an object such as {"statusCode":200,"headers":{},"body":""}`)

// HTTPResult makes the client's answer of a default-protocol answer (reference
// §3.2). Without the output it is 200 with "{}".
func HTTPResult(a azfunc.Answer, output string) (Response, error) {
	raw, ok := outputValue(a, output)
	if !ok {
		return plainText("{}", 200), nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var doc struct {
		StatusCode json.RawMessage
		Headers    map[string]json.RawMessage
		Body       json.RawMessage
	}
	if err := json.Unmarshal(raw, &doc); err != nil || !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return Response{}, fmt.Errorf("%w, not %.60s", errHTTPOutput, raw)
	}
	res := plainText(display(doc.Body), statusOf(doc.StatusCode))
	for name, value := range doc.Headers {
		if bytes.Equal(value, []byte("null")) {
			return Response{}, fmt.Errorf("%w: header %s is null", errHTTPOutput, name)
		}
		if strings.EqualFold(name, "Content-Type") {
			res.Fields[0].Value = withCharset(display(value))
			continue
		}
		if !ownedByServer(name) {
			res.Fields = append(res.Fields, wire.Field{Name: name, Value: display(value)})
		}
	}
	for _, f := range res.Fields {
		if !wire.Token(f.Name) || strings.ContainsAny(f.Value, "\r\n\x00") {
			return Response{}, fmt.Errorf("%w: header %q cannot be sent", errHTTPOutput, f.Name)
		}
	}
	return res, nil
}

func outputValue(a azfunc.Answer, output string) (json.RawMessage, bool) {
	if output == "$return" {
		return a.ReturnValue, a.ReturnValue != nil && string(a.ReturnValue) != "null"
	}
	raw, ok := a.Outputs[output]
	return raw, ok
}

func plainText(body string, status int) Response {
	return Response{Status: status, Fields: wire.Fields{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, Body: []byte(body)}
}

func statusOf(raw json.RawMessage) int {
	n, err := strconv.Atoi(strings.TrimSpace(strings.Trim(string(raw), `"`)))
	if err != nil || n < 100 || n > 999 {
		return http.StatusOK
	}
	return n
}

func withCharset(media string) string {
	if strings.Contains(strings.ToLower(media), "charset=") {
		return media
	}
	return media + "; charset=utf-8"
}

// display is .NET's ToString of a JSON value: text as it is, objects and
// arrays indented.
func display(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		_ = json.Unmarshal(raw, &s)
		return s
	case 't':
		return "True"
	case 'f':
		return "False"
	case '{', '[':
		var out bytes.Buffer
		if json.Indent(&out, raw, "", "  ") == nil {
			return out.String()
		}
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && bytes.ContainsAny(raw, ".eE") {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return string(raw)
}
