package minicosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// TestRestore: what was written after the backup is gone, revisions come back, and the
// container is another one.
func TestRestore(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Ranges = 3 })
	ctx := context.Background()
	write := func(id, text string) azcore.ETag {
		r, err := c.UpsertItem(ctx, pk(id), doc(t, map[string]any{"id": id, "pk": id, "text": text, "pending": true}), nil)
		require.NoError(t, err)
		return r.ETag
	}
	texts := func(documents []json.RawMessage) (all map[string]string, homes map[string]bool) {
		all, homes = map[string]string{}, map[string]bool{}
		for _, raw := range documents {
			var d struct {
				ID, Text string
				Self     string `json:"_self"`
			}
			require.NoError(t, json.Unmarshal(raw, &d))
			all[d.ID] = d.Text
			home, _, _ := strings.Cut(d.Self, "docs/")
			homes[home] = true
		}
		return all, homes
	}
	revisions := map[string]azcore.ETag{}
	for n := range 9 {
		id := fmt.Sprint("d", n)
		revisions[id] = write(id, "before")
	}
	before, err := c.Read(ctx, nil)
	require.NoError(t, err)
	backup, err := s.Backup("db", "c")
	require.NoError(t, err)
	write("d0", "after")
	write("new", "after")

	left, err := s.Restore("db", "c", backup)
	require.NoError(t, err)
	was, _ := texts(left.Documents())
	require.Equal(t, "after", was["d0"])
	require.Equal(t, "after", was["new"])
	now, homes := texts(s.Documents("db", "c"))
	require.Len(t, now, 9)
	require.Equal(t, "before", now["d0"])
	require.Len(t, homes, 1)
	after, err := c.Read(ctx, nil)
	require.NoError(t, err)
	require.NotEqual(t, before.ContainerProperties.ResourceID, after.ContainerProperties.ResourceID)
	require.Contains(t, homes, after.ContainerProperties.SelfLink)
	require.Equal(t, before.ContainerProperties.PartitionKeyDefinition, after.ContainerProperties.PartitionKeyDefinition)
	for id, tag := range revisions {
		r, err := c.ReadItem(ctx, pk(id), id, nil)
		require.NoError(t, err)
		require.Equal(t, tag, r.ETag)
		_, err = c.DeleteItem(ctx, pk(id), id, &azcosmos.ItemOptions{IfMatchEtag: &tag})
		require.NoError(t, err)
	}
	require.NoError(t, s.Check())

	write("more", "x")
	_, err = s.Restore("db", "c", nil)
	require.NoError(t, err)
	require.Empty(t, s.Documents("db", "c"))
	write("more", "y")
	require.NoError(t, s.Check())
	_, err = s.Restore("db", "nowhere", nil)
	require.Error(t, err)
	_, err = s.Backup("nowhere", "c")
	require.Error(t, err)
}
