package cosmos

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

// TestEntitiesOfRangesThatAreSplit: a container has several physical ranges, and between two pages
// each of them becomes two. Every entity of the kind is found, and so is the backlog.
func TestEntitiesOfRangesThatAreSplit(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t, func(o *minicosmos.Options) { o.Ranges = 3 })
	c := connected(t, server.ConnectionString())
	box := c.Outbox("relaybox", "outbox", OutboxOptions{FindPage: 7})
	want := map[string]bool{}
	for n := range 90 {
		key := fmt.Sprint("doc:", n)
		_, err := box.Commit(t.Context(), outbox.Commit{
			Key: key, Entity: outbox.Entity{Key: key, Version: 1, LastSeq: 1, Data: []byte(`{}`)},
			Events: []outbox.Event{{Key: key, Seq: 1, ID: key, Type: "t", Envelope: []byte(`{}`)}},
		})
		require.NoError(t, err)
		want[key] = true
	}
	found, next := map[string]bool{}, ""
	for pages := 0; ; pages++ {
		page, then, err := box.Entities(t.Context(), "doc", next)
		require.NoError(t, err)
		for _, f := range page {
			found[f.Key] = true
		}
		switch pages {
		case 1:
			splitAll(t, server, 0, 1, 2)
		case 6:
			splitAll(t, server, 3, 4, 5, 6, 7, 8)
		}
		if next = then; next == "" {
			break
		}
	}
	require.Equal(t, want, found)
	n, err := box.Backlog(t.Context(), 1000)
	require.NoError(t, err)
	require.Equal(t, 90, n)
}

// splitAll splits the ranges that are there now.
func splitAll(t *testing.T, server *minicosmos.Instance, ids ...int) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, server.Split("relaybox", "outbox", id))
	}
}
