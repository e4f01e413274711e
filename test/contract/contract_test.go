package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/contract"
)

func TestTheDescriptionIsOpenAPI31(t *testing.T) {
	t.Parallel()
	require.NoError(t, contract.Document())
}

const (
	ada     = `{"id":"ada","displayName":"Ada","version":1,"updatedAt":"2026-01-01T00:00:00Z"}`
	missing = `{"type":"urn:relaybox:problem:not-found","title":"There is no such entity","status":404}`
)

// TestViolationsAreCaught: each answer but for the first of its group is against the document.
func TestViolationsAreCaught(t *testing.T) {
	t.Parallel()
	shown := []string{"Content-Type", "application/json", "ETag", `"1-a"`, "Cache-Control", "no-cache"}
	refused := []string{"Content-Type", "application/problem+json"}
	for name, c := range map[string]struct {
		method, path string
		status       int
		headers      []string
		body         string
		ok           bool
	}{
		"shown":                {"GET", "/api/profiles/ada", 200, shown, ada, true},
		"any case":             {"GET", "/API/Profiles/ada/", 200, shown, ada, true},
		"a member of tomorrow": {"GET", "/api/profiles/ada", 200, shown, strings.Replace(ada, "{", `{"new":1,`, 1), true},
		"no id":                {"GET", "/api/profiles/ada", 200, shown, `{"displayName":"Ada","version":1,"updatedAt":"2026-01-01T00:00:00Z"}`, false},
		"no name":              {"GET", "/api/profiles/ada", 200, shown, `{"id":"ada","version":1,"updatedAt":"2026-01-01T00:00:00Z"}`, false},
		"version zero":         {"GET", "/api/profiles/ada", 200, shown, strings.Replace(ada, "1,", "0,", 1), false},
		"no time":              {"GET", "/api/profiles/ada", 200, shown, strings.Replace(ada, "2026-01-01T00", "yesterday", 1), false},
		"empty":                {"GET", "/api/profiles/ada", 200, shown, "", false},
		"no tag":               {"GET", "/api/profiles/ada", 200, []string{"Content-Type", "application/json", "Cache-Control", "no-cache"}, ada, false},
		"other media type":     {"GET", "/api/profiles/ada", 200, append([]string{"Content-Type", "text/html"}, shown[2:]...), ada, false},
		"other status":         {"GET", "/api/profiles/ada", 202, shown, ada, false},
		"created, nowhere":     {"PUT", "/api/profiles/ada", 201, shown, ada, false},
		"created":              {"PUT", "/api/profiles/ada", 201, append([]string{"Location", "/api/profiles/ada"}, shown...), ada, true},
		"head with a body":     {"HEAD", "/api/profiles/ada", 200, shown, ada, false},
		"gone":                 {"DELETE", "/api/profiles/ada", 204, shown[4:], "", true},
		"gone, with a body":    {"DELETE", "/api/profiles/ada", 204, shown[4:], "{}", false},
		"missing":              {"GET", "/api/profiles/ada", 404, refused, missing, true},
		"made-up type":         {"GET", "/api/profiles/ada", 404, refused, strings.Replace(missing, "not-found", "lost", 1), false},
		"type of another":      {"GET", "/api/profiles/ada", 404, refused, strings.Replace(missing, "not-found", "internal", 1), false},
		"status of another":    {"GET", "/api/profiles/ada", 404, refused, strings.Replace(missing, "404", "400", 1), false},
		"come again, when":     {"GET", "/api/profiles/ada", 429, refused, `{"type":"urn:relaybox:problem:throttled","title":"Too many requests","status":429}`, false},
		"an action":            {"POST", "/api/orders/1/ship", 404, refused, missing, true},
		"an action, not told":  {"POST", "/api/orders/1/ship", 201, shown, ada, false},
		"no such action":       {"POST", "/api/orders/1/fly", 404, refused, missing, true},
		"no such action, done": {"POST", "/api/orders/1/fly", 200, shown, ada, false},
		"no such path":         {"GET", "/api/nothing", 404, refused, `{"type":"about:blank","title":"Not Found","status":404}`, true},
		"no problem":           {"GET", "/api/nothing", 404, []string{"Content-Type", "text/plain"}, "what?", false},
		"no method offered":    {"POST", "/api/profiles/ada", 405, refused, `{"type":"about:blank","title":"Method Not Allowed","status":405}`, false},
		"a trigger's":          {"POST", "/OutboxDispatcher", 200, nil, "{}", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for i := 0; i < len(c.headers); i += 2 {
				h.Set(c.headers[i], c.headers[i+1])
			}
			err := contract.Answer(c.method, c.path, c.status, h, []byte(c.body))
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}

const shipped = `{"specversion":"1.0","id":"e-1","source":"/relaybox/order","type":"relaybox.order.cancelled","subject":"1","time":"2026-01-01T00:00:00Z",
"datacontenttype":"application/json","sequence":"00000000000000000002","partitionkey":"order:1","incarnation":"0123456789abcdef",
"incarnationfirst":"00000000000000000001","incarnationsince":"2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z",
"data":{"id":"1","state":{"customer":"c","lines":[{"sku":"s","quantity":1,"cents":1}],"status":"cancelled","new":true},"new":1}}`

func TestViolatingEventsAreCaught(t *testing.T) {
	t.Parallel()
	require.NoError(t, contract.Event([]byte(shipped)))
	for name, c := range map[string][2]string{
		"no type of ours":  {"relaybox.order.cancelled", "relaybox.order.eaten"},
		"another version":  {`"1.0"`, `"0.3"`},
		"no id":            {`"id":"e-1",`, ``},
		"another source":   {"/relaybox/order", "/relaybox/profile"},
		"another key":      {"order:1", "profile:1"},
		"bare number":      {`"00000000000000000002"`, `2`},
		"short number":     {`"00000000000000000002"`, `"2"`},
		"no incarnation":   {`"incarnation":"0123456789abcdef",`, ``},
		"attribute's name": {`"specversion"`, `"data_base64":"","specversion"`},
		"no state":         {`"state"`, `"stat"`},
		"another state":    {`"cancelled","new"`, `"lost","new"`},
		"no lines":         {`"lines":[{"sku":"s","quantity":1,"cents":1}]`, `"lines":[]`},
		"too many":         {`"quantity":1`, `"quantity":1001`},
		"deleted, kept":    {"relaybox.order.cancelled", "relaybox.order.deleted"},
	} {
		changed := strings.Replace(shipped, c[0], c[1], 1)
		require.NotEqual(t, shipped, changed, name)
		require.Error(t, contract.Event([]byte(changed)), name)
	}
}
