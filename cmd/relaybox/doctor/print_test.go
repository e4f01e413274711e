package doctor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/servicebus/admin"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	r := Report{[]Group{
		{"Settings of x.json", []Finding{ok("application settings", "complete")}},
		{"Nothing", nil},
		{"Service Bus here", []Finding{
			finding(Refused, "views sessions", "off:\n events of an entity are handled in any order", "make it anew"),
			finding(Unknown, "views rules", "not read", "name the port"),
			finding(Warning, "views lock", "5s", "set it"),
		}},
	}}
	require.Equal(t, 1, r.ExitStatus())
	var out strings.Builder
	require.NoError(t, r.Print(&out, false))
	require.Equal(t, `Settings of x.json
  ok       application settings  complete

Service Bus here
  refused  views sessions        off: events of an entity are handled in any order → make it anew
  unknown  views rules           not read → name the port
  warning  views lock            5s → set it

1 ok, 1 warning, 1 unknown, 1 refused: the app would break a promise, or not start, as it is set up
`, out.String())

	out.Reset()
	require.NoError(t, r.Print(&out, true))
	require.Contains(t, out.String(), "  \x1b[31mrefused\x1b[0m  views sessions   ")
	require.Contains(t, out.String(), "  ok       application settings  complete\n", "what is fine has no colour")

	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"exitStatus":1,"counts":{"ok":1,"warning":1,"unknown":1,"refused":1},"groups":[
		{"name":"Settings of x.json","findings":[{"status":"ok","subject":"application settings","found":"complete"}]},
		{"name":"Service Bus here","findings":[
			{"status":"refused","subject":"views sessions","found":"off:\n events of an entity are handled in any order","remedy":"make it anew"},
			{"status":"unknown","subject":"views rules","found":"not read","remedy":"name the port"},
			{"status":"warning","subject":"views lock","found":"5s","remedy":"set it"}]}]}`, string(text))
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for want, list := range map[int][]Finding{
		0: {ok("a", "b"), finding(Warning, "a", "b", "c")},
		1: {finding(Unknown, "a", "b", "c"), finding(Refused, "a", "b", "c")},
		3: {finding(Unknown, "a", "b", "c"), ok("a", "b")},
	} {
		require.Equal(t, want, Report{[]Group{{"g", list}}}.ExitStatus())
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 20 * time.Second: "20s", 5 * time.Minute: "5m", 90 * time.Minute: "1h30m", time.Hour: "1h", 24 * time.Hour: "24h",
		14 * 24 * time.Hour: "14d", 4*time.Minute + 30*time.Second: "4m30s", admin.Forever: "for ever",
	} {
		require.Equal(t, want, span(d))
	}
}
