package cosmos

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokensKeepTheNewest(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		seen []string
		want string
	}{
		"nothing":              {nil, ""},
		"one":                  {[]string{"0:0#5#0=5"}, "0:0#5#0=5"},
		"newer":                {[]string{"0:0#5#0=5", "0:0#12#0=12"}, "0:0#12#0=12"},
		"older":                {[]string{"0:0#12#0=12", "0:0#5#0=5"}, "0:0#12#0=12"},
		"version wins":         {[]string{"0:0#12#0=12", "0:1#5#0=5"}, "0:1#5#0=5"},
		"plain":                {[]string{"0:7", "0:9", "0:8"}, "0:9"},
		"minus one as version": {[]string{"0:-1#3", "0:-1#4"}, "0:-1#4"},
		"ranges":               {[]string{"1:0#3", "0:0#9,2:0#1"}, "0:0#9,1:0#3,2:0#1"},
		"junk":                 {[]string{"x", ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var k tokens
			for _, s := range row.seen {
				k.add(s)
			}
			require.Equal(t, row.want, k.get())
			k.drop()
			require.Empty(t, k.get())
		})
	}
}

func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	var k tokens
	for i := range 10 * maxRanges {
		k.add(fmt.Sprintf("%d:0#1", i))
	}
	require.Len(t, k.ranges, maxRanges)
}

// An instance reads its own writes: what a commit's response said goes out with the
// next read.
func TestReadsCarryTheNewestToken(t *testing.T) {
	t.Parallel()
	written := stored
	written.header = map[string]string{"x-ms-session-token": "0:0#7#0=7"}
	c, s := scripted(written, reply{status: 404}, reply{status: 200, body: `{"Documents":[]}`})
	box := c.Outbox("db", "c", OutboxOptions{})
	_, err := box.Commit(t.Context(), aCommit)
	require.NoError(t, err)
	_, err = box.Load(t.Context(), "p-1")
	require.NoError(t, err)
	_, err = c.Outbox("db", "c", OutboxOptions{}).Pending(t.Context(), "p-1", 0, 10)
	require.NoError(t, err)
	require.Empty(t, s.requests[0].header.Get("x-ms-session-token"))
	require.Equal(t, "0:0#7#0=7", s.requests[1].header.Get("x-ms-session-token"))
	require.Equal(t, "0:0#7#0=7", s.requests[2].header.Get("x-ms-session-token"))
}
