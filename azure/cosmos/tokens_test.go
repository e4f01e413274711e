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

// TestABarriersTokenIsWhatItIsFor: the reads behind it go out under what its answer said.
func TestABarriersTokenIsWhatItIsFor(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 201, header: map[string]string{"x-ms-session-token": "0:0#9#0=9"}}, reply{status: 404})
	box := c.Outbox("db", "c", OutboxOptions{})
	require.NoError(t, box.Barrier(t.Context(), "p-1"))
	_, err := box.Load(t.Context(), "p-1")
	require.NoError(t, err)
	require.Equal(t, "0:0#9#0=9", s.requests[1].header.Get("x-ms-session-token"))
}

// TestAQueryIsARead, too.
func TestAQueryIsARead(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 200, body: `{"Documents":[]}`, header: map[string]string{"x-ms-session-token": "0:0#9#0=9"}}, reply{status: 404})
	box := c.Outbox("db", "c", OutboxOptions{})
	_, err := box.Pending(t.Context(), "p-1", 0, 10)
	require.NoError(t, err)
	_, err = box.Load(t.Context(), "p-1")
	require.NoError(t, err)
	require.Equal(t, "0:0#9#0=9", s.requests[1].header.Get("x-ms-session-token"))
}

// TestADocumentTellsOfANewContainer: it lies in another one than all that was read before, so
// the tokens of that one are dropped.
func TestADocumentTellsOfANewContainer(t *testing.T) {
	t.Parallel()
	in := func(rid, token string) reply {
		return reply{status: 200, body: `{"id":"entity","pk":"p-1","version":1,"_rid":"` + rid + `"}`, header: map[string]string{"etag": `"e"`, "x-ms-session-token": token}}
	}
	c, s := scripted(in("AAAAAAAAAAEAAAAAAAAAAQ==", "0:0#9#0=9"), in("AAAAAAAAAAIAAAAAAAAAAQ==", "0:0#2#0=2"), reply{status: 404})
	box := c.Outbox("db", "c", OutboxOptions{})
	for range 3 {
		_, err := box.Load(t.Context(), "p-1")
		require.NoError(t, err)
	}
	require.Equal(t, "0:0#9#0=9", s.requests[1].header.Get("x-ms-session-token"))
	require.NotEqual(t, "0:0#9#0=9", s.requests[2].header.Get("x-ms-session-token"))
}

// TestWhatIsNotThereIsARead, too: it was not there at least until the token in its answer.
func TestWhatIsNotThereIsARead(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 404, header: map[string]string{"x-ms-session-token": "0:0#9#0=9"}}, reply{status: 404})
	box := c.Outbox("db", "c", OutboxOptions{})
	for range 2 {
		_, err := box.Load(t.Context(), "p-1")
		require.NoError(t, err)
	}
	require.Equal(t, "0:0#9#0=9", s.requests[1].header.Get("x-ms-session-token"))
}
