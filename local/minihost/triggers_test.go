package minihost

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

// The timer cases of the recording, with a real handler process: what each
// answer means.
func TestTimerAnswers(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, "", ""), "Tick/function.json": `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 0 1 1 *"}]}`}
	s := start(t, files, success)
	json := func(body string) string { return httpAnswer(200, "application/json", body) }
	for name, c := range map[string]struct{ answer, log string }{
		"success":                {success(seen{}), `msg=swept category=Function.Tick.User`},
		"empty object":           {json(`{}`), "invocation succeeded"},
		"500":                    {httpAnswer(500, "application/json", `{}`), "status 500"},
		"404":                    {httpAnswer(404, "", ""), "status 404"},
		"not json":               {httpAnswer(200, "text/plain", "hello"), "is not application/json"},
		"logs of objects":        {json(`{"Logs":[{}]}`), "Logs holds {}"},
		"200 with an empty body": {httpAnswer(200, "application/json", ""), "would hang until functionTimeout"},
		"204":                    {"HTTP/1.1 204 No Content\r\n\r\n", "would hang until functionTimeout"},
		"connection closed":      {"", "no answer from the handler"},
		"redirect":               {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "msg=moved"},
	} {
		s.handler.script(func(r seen) string {
			if strings.HasPrefix(r.line, "GET /elsewhere ") {
				return json(`{"Logs":["moved"]}`)
			}
			return c.answer
		})
		status, _ := s.get(t, "POST", "/admin/functions/tick", `{}`)
		require.Equal(t, 202, status, name)
		s.handler.wait(t, func(r seen) bool { return strings.HasPrefix(r.line, "POST /Tick ") })
		require.Eventually(t, func() bool { return strings.Contains(s.log.String(), c.log) }, time.Minute, time.Millisecond, name)
		if c.answer == "" {
			require.Len(t, s.handler.requests(), 1, "delivered once")
		}
	}
}

func TestTimerRetryPolicy(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, "", ""), "Tick/function.json": `{"retry":{"strategy":"fixedDelay","maxRetryCount":2,"delayInterval":"00:00:00.001"},
		"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 0 1 1 *","runOnStartup":true}]}`}
	s := start(t, files, func(seen) string { return httpAnswer(500, "", "") })
	ids := map[string]bool{}
	for i := range 3 {
		req := s.handler.wait(t, func(seen) bool { return true })
		id, _ := req.fields.Get(azfunc.HeaderInvocationID)
		ids[id] = true
		require.Equal(t, i > 0, strings.Contains(string(req.body), `"RetryContext":{"RetryCount"`))
	}
	require.Len(t, ids, 3, "each delivery has its own id")
}
