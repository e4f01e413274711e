package cosmos

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
)

func TestInboxCommit(t *testing.T) {
	t.Parallel()
	one := inbox.Change{Model: inbox.Model{Key: "p-1", LastSeq: 4, Data: []byte(`{}`), Revision: `"m"`}}
	first := one
	first.Model.Revision = ""
	early := one
	early.Add = []inbox.Early{{Event: inbox.Event{Key: "p-1", Seq: 6}, Since: time.Now()}}
	for name, row := range map[string]struct {
		change  inbox.Change
		replies []reply
		want    error
		method  string // of the last request
		tries   int
	}{
		"replaced":             {one, []reply{{status: 200, header: map[string]string{"ETag": `"n"`}}}, nil, "PUT", 1},
		"created":              {first, []reply{{status: 201, header: map[string]string{"ETag": `"n"`}}}, nil, "POST", 1},
		"moved on":             {one, []reply{{status: 412}}, inbox.ErrConflict, "PUT", 1},
		"gone":                 {one, []reply{{status: 404}}, inbox.ErrConflict, "PUT", 1},
		"created by another":   {first, []reply{{status: 409}}, inbox.ErrConflict, "POST", 1},
		"answer lost":          {one, []reply{{dropped: true}, {status: 412}}, inbox.ErrConflict, "PUT", 2},
		"request timeout":      {one, []reply{{status: 408}, {status: 200, header: map[string]string{"ETag": `"n"`}}}, nil, "PUT", 2},
		"throttled":            {one, []reply{{status: 429}, {status: 200, header: map[string]string{"ETag": `"n"`}}}, nil, "PUT", 2},
		"batch":                {early, []reply{committed(`"n"`, "e")}, nil, "POST", 1},
		"batch, moved on":      {early, []reply{rolledBack(2, 0, 412)}, inbox.ErrConflict, "POST", 1},
		"batch, early already": {early, []reply{rolledBack(2, 1, 409)}, inbox.ErrConflict, "POST", 1},
		"batch, gone":          {early, []reply{rolledBack(2, 1, 404)}, inbox.ErrConflict, "POST", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := scripted(row.replies...)
			revision, err := c.Inbox("db", "v", InboxOptions{}).Commit(t.Context(), row.change)
			require.Equal(t, row.tries, s.count())
			last := s.requests[len(s.requests)-1]
			require.Equal(t, row.method, last.method)
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, `"n"`, revision)
			require.Equal(t, row.method == "PUT", last.header.Get("If-Match") == `"m"`)
		})
	}
}

func TestInboxFaultsAreTransientOrForEver(t *testing.T) {
	t.Parallel()
	for status, transient := range map[int]bool{401: true, 403: true, 413: false, 400: false} {
		c, _ := scripted(reply{status: status})
		views := c.Inbox("db", "v", InboxOptions{})
		_, loaded := views.Load(t.Context(), "p-1")
		_, committed := views.Commit(t.Context(), inbox.Change{Model: inbox.Model{Key: "p-1"}})
		_, early := views.Early(t.Context(), "p-1", 1)
		waiting := views.Waiting(t.Context(), time.Now(), func([]string) error { return nil })
		for op, err := range map[string]error{"load": loaded, "commit": committed, "early": early, "waiting": waiting} {
			_, is := errors.AsType[*inbox.Transient](err)
			require.Error(t, err)
			require.Equal(t, transient, is, "%s %d: %v", op, status, err)
		}
	}
}
