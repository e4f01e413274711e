package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

func TestFaultsOfTheOutbox(t *testing.T) {
	t.Parallel()
	fault := func(c outbox.Class, after time.Duration) error {
		return fmt.Errorf("wrapped: %w", &outbox.Error{Class: c, RetryAfter: after, Op: `commit profile "p-1"`, Err: errors.New("secret")})
	}
	for name, c := range map[string]struct {
		err   error
		kind  Kind
		retry string
		level string
	}{
		"throttled":            {fault(outbox.Throttled, 1200*time.Millisecond), Throttled, "2", "WARN"},
		"throttled, no wish":   {fault(outbox.Throttled, 0), Throttled, "1", "WARN"},
		"whole seconds":        {fault(outbox.Throttled, 3*time.Second), Throttled, "3", "WARN"},
		"a millisecond":        {fault(outbox.Unavailable, time.Millisecond), Unavailable, "1", "WARN"},
		"unavailable":          {fault(outbox.Unavailable, 0), Unavailable, "5", "WARN"},
		"timeout":              {fault(outbox.Timeout, 0), Unavailable, "5", "WARN"},
		"unclassified":         {fault(outbox.Unclassified, 0), Unavailable, "5", "WARN"},
		"unauthorized":         {fault(outbox.Unauthorized, 0), Unavailable, "30", "ERROR"},
		"ambiguous":            {fault(outbox.Ambiguous, 0), Unknown, "1", "WARN"},
		"ambiguous, then away": {errors.Join(fault(outbox.Ambiguous, 0), fault(outbox.Unavailable, 0)), Unknown, "1", "WARN"},
		"rejected":             {fault(outbox.Rejected, 0), Internal, "", "ERROR"},
		"too large":            {fault(outbox.TooLarge, 0), EventTooLarge, "", ""},
		"event too large":      {&outbox.EventTooLargeError{Type: "x", Size: 9, Max: 8}, EventTooLarge, "", ""},
		"twin":                 {outbox.ErrTwinInFlight, InProgress, "1", ""},
		"reused":               {outbox.ErrKeyReused, KeyReused, "", ""},
		"contended":            {fmt.Errorf("write: %w", outbox.ErrContended), Unavailable, "1", "WARN"},
		"anything":             {errors.New("secret"), Internal, "", "ERROR"},
		"a problem":            {fmt.Errorf("wrapped: %w", New(BadID, "no")), BadID, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/api/profiles/p-1", nil)
			r.Header.Set("X-Azure-Functions-InvocationId", "mine, the-hosts")
			Answer(w, r, slog.New(slog.NewTextHandler(&log, nil)), c.err)

			require.Equal(t, c.kind.Status, w.Code)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, c.retry, w.Header().Get("Retry-After"))
			require.Equal(t, strconv.Itoa(w.Body.Len()), w.Header().Get("Content-Length"))
			require.NotContains(t, w.Body.String(), "secret")
			var p Problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
			require.Equal(t, c.kind, p.Kind)
			require.NotEmpty(t, p.Detail)
			require.Equal(t, "the-hosts", p.Instance)
			if c.level == "" {
				require.Empty(t, log.String())
				return
			}
			require.Contains(t, log.String(), "level="+c.level)
			require.Contains(t, log.String(), "invocation=the-hosts")
		})
	}
}

func TestTheEndOfAnInvocationIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	cause := errors.New("the HTTP invocation took too long")
	ctx, cancel := context.WithCancelCause(t.Context())
	require.Equal(t, Internal, From(ctx, cause).Kind)
	cancel(cause)
	for _, err := range []error{cause, context.Canceled, errors.Join(outbox.ErrConflict, cause)} {
		require.Equal(t, Unavailable, From(ctx, err).Kind)
	}
	require.Equal(t, Unknown, From(ctx, errors.Join(&outbox.Error{Class: outbox.Ambiguous}, cause)).Kind)
	require.Equal(t, Internal, From(ctx, errors.New("another")).Kind)
}

func TestAHeadGetsTheHeadersOnly(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Answer(w, httptest.NewRequest(http.MethodHead, "/", nil), slog.New(slog.DiscardHandler), New(NotFound, "no"))
	require.Equal(t, http.StatusNotFound, w.Code)
	require.NotEqual(t, "0", w.Header().Get("Content-Length"))
	require.Empty(t, w.Body.String())
}

func TestWhatIsKeptIsGivenAgain(t *testing.T) {
	t.Parallel()
	first := New(WrongState, "no")
	first.Instance = "of one request"
	answer, err := first.Keep()
	require.NoError(t, err)
	require.Equal(t, "of one request", first.Instance)
	again := New(WrongState, "no")
	require.Equal(t, again, Kept(answer))
	for _, bad := range []outbox.Answer{{Status: 404, Body: answer.Body}, {Status: 409, Body: []byte("{")}, {Status: 409}} {
		p := Kept(bad)
		require.Equal(t, Internal, p.Kind)
		require.ErrorContains(t, p, "is no problem")
	}
	var syntax *json.SyntaxError
	require.ErrorAs(t, Kept(outbox.Answer{Status: 409, Body: []byte("{")}), &syntax, "the log says what is wrong with it")
}

// Every problem is one flat document; members that say nothing are left out.
func ExampleAnswer() {
	p := New(MalformedJSON, "line 1, column 22: invalid character '}'")
	p.Position = &Position{Offset: 21, Line: 1, Column: 22}

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/api/profiles/p-1", nil)
	r.Header.Set("X-Azure-Functions-InvocationId", "7d2f1c52-8a34-4c55-9d0a-2f6d1a0c7e11")
	Answer(w, r, slog.Default(), p)

	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	var pretty bytes.Buffer
	_ = json.Indent(&pretty, w.Body.Bytes(), "", "  ")
	fmt.Println(pretty.String())
	// Output:
	// 400 application/problem+json
	// {
	//   "type": "urn:relaybox:problem:malformed-json",
	//   "title": "The body is not valid JSON",
	//   "status": 400,
	//   "detail": "line 1, column 22: invalid character '}'",
	//   "instance": "7d2f1c52-8a34-4c55-9d0a-2f6d1a0c7e11",
	//   "offset": 21,
	//   "line": 1,
	//   "column": 22
	// }
}

// TestAllHasEveryKind: the API's description lists what All returns.
func TestAllHasEveryKind(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("kinds.go")
	require.NoError(t, err)
	made := regexp.MustCompile(`= kind\("([a-z-]+)"`).FindAllSubmatch(source, -1)
	require.NotEmpty(t, made)
	require.Len(t, All(), len(made))
	for i, k := range All() {
		require.Equal(t, "urn:relaybox:problem:"+string(made[i][1]), k.Type)
	}
}
