package probe

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/access"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	require.NoError(t, Judge(nil))
	for status, want := range map[int]Verdict{401: Unauthorized, 403: Forbidden, 404: Missing, 400: Faulty, 503: Faulty} {
		err := Judge(fmt.Errorf("read: %w", &azcore.ResponseError{StatusCode: status}))
		require.Equal(t, want, Of(err))
		require.ErrorContains(t, err, fmt.Sprint(status))
	}
	require.Equal(t, NoAnswer, Of(errors.New("dial tcp: refused")))
	require.Equal(t, Faulty, Of(fmt.Errorf("connect: %w", &access.SettingError{Err: io.EOF})))
	tokenless := Judge(fmt.Errorf("connect: %w", &access.TokenError{Err: errors.New("nobody is signed in")}))
	require.Equal(t, NoToken, Of(tokenless))
	require.EqualError(t, tokenless, "nobody is signed in")
	signed := &url.Error{Op: "Get", URL: "https://x/?sig=secret", Err: errors.New("refused")}
	require.Equal(t, "refused", Judge(fmt.Errorf("ask: %w", signed)).Error(), "no signature")
	judged := &Error{NoToken, errors.New("DefaultAzureCredential failed:\n\tEnvironmentCredential: …\n\tAzureCLICredential: …")}
	require.Same(t, judged, Judge(judged))
	require.Equal(t, "DefaultAzureCredential failed", judged.Error(), "one line")
}

type answering func() (*http.Response, error)

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a() }

func TestClock(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		off, want time.Duration
	}{
		"equal":  {0, 0},
		"second": {time.Second, 0},
		"ahead":  {7 * time.Minute, 7 * time.Minute},
		"behind": {-40 * time.Second, -40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &Clock{Base: answering(func() (*http.Response, error) {
				h := http.Header{"Date": {time.Now().Add(row.off).UTC().Format(http.TimeFormat)}}
				return &http.Response{StatusCode: 401, Header: h, Body: io.NopCloser(strings.NewReader(""))}, nil
			})}
			_, known := c.Ahead()
			require.False(t, known)
			_, err := c.Do(&http.Request{})
			require.NoError(t, err)
			ahead, known := c.Ahead()
			require.True(t, known, "a refusal tells the time, too")
			require.InDelta(t, row.want.Seconds(), ahead.Seconds(), 1)
		})
	}
}

func TestClockWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := &Clock{Base: answering(func() (*http.Response, error) { return nil, io.EOF })}
	_, err := c.Do(&http.Request{})
	require.ErrorIs(t, err, io.EOF)
	_, known := c.Ahead()
	require.False(t, known)
}
