package e2e_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/stack"
)

// profileIn is the key of the profile that a path is about, "" for what a history cannot
// judge: it knows no actions, and no rules of a kind.
func profileIn(path string) string {
	if id, ok := strings.CutPrefix(path, "profiles/"); ok && !strings.Contains(id, "/") {
		return "profile:" + id
	}
	return ""
}

// judge reads every profile once more, and wants one order that explains all answers. What
// was judged is forgotten.
func (s *system) judge() {
	s.t.Helper()
	if s.record == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 30*time.Second)
	defer cancel()
	for _, key := range s.record.Keys() {
		assert.NoError(s.t, s.lastRead(ctx, key))
	}
	for key, verdict := range s.verdicts() {
		assert.Equal(s.t, history.Fine, verdict.Judgement, "the history of %s: %s", key, verdict.Reason)
	}
	s.record = nil
}

// lastRead reads a profile as it is. Without it nobody would miss the write that came last.
func (s *system) lastRead(ctx context.Context, key string) error {
	client := history.Client{HTTP: s.http, Record: s.record}
	for {
		got, _, _ := client.Do(ctx, key, s.HostURL+"/api/profiles/"+strings.TrimPrefix(key, "profile:"),
			history.Call{Client: "judge", Target: "host", Method: http.MethodGet, Current: true})
		if got.Outcome == history.Answered {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not answered at the end: %v", key, got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// verdicts are what package history thinks of each profile.
func (s *system) verdicts() map[string]history.Verdict {
	all := map[string]history.Verdict{}
	for _, key := range s.record.Keys() {
		all[key] = history.Check(s.record.Calls(key), 2*time.Minute)
	}
	return all
}

// TestAnswersFitOneOrder: clients ask for everything that a profile can be asked for, all of
// them the same three, with twins and repetitions, while the handler dies twice.
func TestAnswersFitOneOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	const clients, calls = 6, 25
	var answered atomic.Int64
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			tag := `"1-none"`
			for i := range calls {
				method, body, headers := invent(random, fmt.Sprintf("%d-%d", n, i), tag)
				id := fmt.Sprint("p-", random.IntN(3))
				for range 40 { // whoever may repeat does, until it knows
					got, err := s.call(method, id, body, headers...)
					if err == nil && got.etag != "" {
						tag = got.etag
					}
					if err == nil && got.status < 500 && got.status != http.StatusConflict {
						answered.Add(1)
						break
					}
					if !strings.Contains(fmt.Sprint(headers), "Idempotency-Key") {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				if n == 0 && (i == calls/3 || i == calls*2/3) {
					s.killHandler()
				}
			}
		})
	}
	all.Wait()
	require.Greater(t, answered.Load(), int64(clients*calls/2))
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
	s.nothingDeadLettered()
}

// invent draws a request; half of the writes have a key, some of these somebody else's.
func invent(random *rand.Rand, name, tag string) (method, body string, headers []string) {
	body = fmt.Sprintf(`{"displayName":%q}`, name)
	switch n := random.IntN(10); {
	case n < 4:
		method = http.MethodPut
	case n < 6:
		method = http.MethodPatch
	case n < 7:
		method, body = http.MethodDelete, ""
	default:
		return http.MethodGet, "", []string{"Cache-Control", []string{"no-cache", ""}[random.IntN(2)]}
	}
	switch n := random.IntN(6); {
	case n < 2:
		headers = append(headers, "If-Match", tag)
	case n < 3 && method == http.MethodPut:
		headers = append(headers, "If-None-Match", "*")
	}
	switch random.IntN(4) {
	case 0, 1:
		headers = append(headers, "Idempotency-Key", fmt.Sprintf("%q", name))
	case 2:
		headers = append(headers, "Idempotency-Key", fmt.Sprintf(`"shared-%d"`, random.IntN(4)))
	}
	return method, body, headers
}

// liar is the transport of a proxy that gives some answers otherwise than they are.
type liar struct {
	lie   func(l *liar, r *http.Request) (*http.Response, error)
	first *http.Response // to the first write, with what it said
	said  string
}

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.lie(l, r)
	if err == nil && l.first == nil {
		var text []byte
		text, err = io.ReadAll(answer.Body)
		l.first, l.said = answer, string(text)
		return l.again(r), err
	}
	return answer, err
}

func (*liar) honest(r *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(r)
}

// again is the first answer once more.
func (l *liar) again(r *http.Request) *http.Response {
	answer := *l.first
	answer.Header, answer.Body, answer.Request = answer.Header.Clone(), io.NopCloser(strings.NewReader(l.said)), r
	return &answer
}

// lies are answers that are well-formed, so that nothing but the history can tell, and one
// that is true.
var lies = map[string]func(l *liar, r *http.Request) (*http.Response, error){
	"the truth": (*liar).honest,
	"200 for 201": func(l *liar, r *http.Request) (*http.Response, error) {
		answer, err := l.honest(r)
		if err == nil && answer.StatusCode == http.StatusCreated {
			answer.StatusCode = http.StatusOK
		}
		return answer, err
	},
	"an older tag": func(l *liar, r *http.Request) (*http.Response, error) {
		answer, err := l.honest(r)
		if err == nil && r.Method == http.MethodPatch {
			answer.Header.Set("ETag", l.first.Header.Get("ETag"))
		}
		return answer, err
	},
	"an older state": func(l *liar, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			answer := l.again(r)
			answer.StatusCode = http.StatusOK
			return answer, nil
		}
		return l.honest(r)
	},
	"the 404 of another": func(l *liar, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			r.URL.Path += "-x"
		}
		return l.honest(r)
	},
	"acknowledged and forgotten": func(l *liar, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodDelete {
			header := http.Header{"Cache-Control": l.first.Header["Cache-Control"]}
			return &http.Response{StatusCode: http.StatusNoContent, Header: header, Body: http.NoBody, Request: r}, nil
		}
		return l.honest(r)
	},
	"done twice": func(l *liar, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodDelete {
			answer, err := l.honest(r)
			if err != nil {
				return nil, err
			}
			_ = answer.Body.Close() // the client gets the second one
		}
		return l.honest(r)
	},
}

// TestAHistoryTellsALie: the app as it is, the tests' own clients, and a proxy between them.
func TestAHistoryTellsALie(t *testing.T) {
	t.Parallel()
	app := start(t)
	host, err := url.Parse(app.HostURL)
	require.NoError(t, err)
	for name, lie := range lies {
		proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(host) }, Transport: &liar{lie: lie}})
		s := &system{Stack: &stack.Stack{HostURL: proxy.URL}, t: t, http: proxy.Client(), record: &history.Recorder{}}
		id := strings.ReplaceAll(name, " ", "-")
		for _, ask := range [][]string{
			{http.MethodPut, `{"displayName":"Ann"}`},
			{http.MethodPatch, `{"displayName":"Bob"}`, "Idempotency-Key", `"k"`},
			{http.MethodPatch, `{"displayName":"Bob"}`, "Idempotency-Key", `"k"`},
			{http.MethodGet, "", "Cache-Control", "no-cache"},
			{http.MethodDelete, ""},
			{http.MethodPut, `{"displayName":"Eve"}`, "If-None-Match", "*"},
		} {
			_, err := s.call(ask[0], id, ask[1], ask[2:]...)
			require.NoError(t, err, name)
		}
		proxy.Close()
		require.Len(t, s.record.Calls("profile:"+id), 6)
		want := history.Broken
		if name == "the truth" {
			want = history.Fine
		}
		verdict := s.verdicts()["profile:"+id]
		require.Equal(t, want, verdict.Judgement, "%s: %s", name, verdict.Reason)
	}
}
