package minicosmos

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

func withUnique(paths ...string) azcosmos.ContainerProperties {
	p := outboxLike("c")
	p.UniqueKeyPolicy = &azcosmos.UniqueKeyPolicy{UniqueKeys: []azcosmos.UniqueKey{{Paths: paths}}}
	return p
}

func TestUniqueKeys(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, withUnique("/email", "/address/city"))
	ctx := context.Background()
	create := func(key, id string, more m) int {
		d := m{"id": id, "pk": key}
		for name, v := range more {
			d[name] = v
		}
		_, err := c.CreateItem(ctx, pk(key), doc(t, d), nil)
		return status(t, err)
	}
	ann := m{"email": "ann@example.com", "address": m{"city": "Oslo"}}
	require.Equal(t, 0, create("a", "1", ann))
	require.Equal(t, 409, create("a", "2", ann))
	require.Equal(t, 0, create("b", "2", ann), "another logical partition")
	require.Equal(t, 0, create("a", "3", m{"email": "ann@example.com", "address": m{"city": "Rome"}}))
	require.Equal(t, 0, create("a", "none", nil))
	require.Equal(t, 409, create("a", "none too", nil), "missing counts as null")
	require.Equal(t, 409, create("a", "null", m{"email": nil}))
	require.Equal(t, 0, create("a", "object", m{"email": m{"x": 1}}))
	require.Equal(t, 409, create("a", "object too", m{"email": m{"x": 1}}))

	_, err := c.ReplaceItem(ctx, pk("a"), "3", doc(t, m{"id": "3", "pk": "a", "email": "ann@example.com", "address": m{"city": "Oslo"}}), nil)
	require.Equal(t, 409, status(t, err))
	var p azcosmos.PatchOperations
	p.AppendSet("/address/city", "Oslo")
	_, err = c.PatchItem(ctx, pk("a"), "3", p, nil)
	require.Equal(t, 409, status(t, err))
	put(t, c, "a", "none", 5) // itself
	_, err = c.DeleteItem(ctx, pk("a"), "1", nil)
	require.NoError(t, err)
	require.Equal(t, 0, create("a", "2", ann), "it is free again")
	require.NoError(t, s.Check())
}

// Inside a batch keys may pass from one document to another; two documents may not take the same.
func TestUniqueKeysInABatch(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, withUnique("/email"))
	with := func(id, email string) []byte { return doc(t, m{"id": id, "pk": "a", "email": email}) }
	for id, email := range map[string]string{"1": "x", "2": "y"} {
		_, err := c.CreateItem(context.Background(), pk("a"), with(id, email), nil)
		require.NoError(t, err)
	}
	for _, step := range []struct {
		want  string
		build func(*azcosmos.TransactionalBatch)
	}{
		{"[424 409]", func(b *azcosmos.TransactionalBatch) {
			b.CreateItem(with("3", "z"), nil)
			b.CreateItem(with("4", "z"), nil)
		}},
		{"[409 424]", func(b *azcosmos.TransactionalBatch) { b.CreateItem(with("3", "x"), nil); b.DeleteItem("1", nil) }},
		{"[200 201]", func(b *azcosmos.TransactionalBatch) {
			b.ReplaceItem("1", with("1", "w"), nil)
			b.CreateItem(with("3", "x"), nil)
		}},
		{"[204 200]", func(b *azcosmos.TransactionalBatch) { b.DeleteItem("2", nil); b.UpsertItem(with("1", "y"), nil) }},
	} {
		r, err := run(c, "a", nil, step.build)
		require.NoError(t, err)
		require.Equal(t, step.want, batchStatuses(r))
		require.NoError(t, s.Check())
	}
}

// What has expired holds no key.
func TestUniqueKeyOfTheExpired(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, withUnique("/email"))
	_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": "1", "pk": "a", "email": "x", "ttl": 1}), nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": "2", "pk": "a", "email": "x"}), nil)
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, s.Check())
	require.Len(t, s.Documents("db", "c"), 1)
}

func TestUniqueKeyPolicies(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, withUnique("/email"))
	db, err := connect(t, s.ConnectionString()).NewDatabase("db")
	require.NoError(t, err)
	for _, paths := range [][]string{{}, {"email"}, {"/a/*"}, {"/"}} {
		bad := withUnique(paths...)
		bad.ID = "bad"
		_, err := db.CreateContainer(context.Background(), bad, nil)
		require.Equal(t, 400, status(t, err), paths)
	}
	read, err := c.Read(context.Background(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"/email"}, read.ContainerProperties.UniqueKeyPolicy.UniqueKeys[0].Paths)
	_, err = c.Replace(context.Background(), outboxLike("c"), nil)
	require.Equal(t, 400, status(t, err), "unique keys stay")
}

// Throughput is sold to containers and databases, read, changed, and stored.
func TestOffers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := context.Background()
	s := RunT(t, func(o *Options) { o.Dir = dir })
	client := connect(t, s.ConnectionString())
	shared := azcosmos.NewAutoscaleThroughputProperties(4000)
	_, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "db"}, &azcosmos.CreateDatabaseOptions{ThroughputProperties: &shared})
	require.NoError(t, err)
	db, err := client.NewDatabase("db")
	require.NoError(t, err)
	own := azcosmos.NewManualThroughputProperties(400)
	for name, o := range map[string]*azcosmos.CreateContainerOptions{"own": {ThroughputProperties: &own}, "none": nil} {
		_, err = db.CreateContainer(ctx, outboxLike(name), o)
		require.NoError(t, err)
	}
	container := func(client *azcosmos.Client, name string) *azcosmos.ContainerClient {
		c, err := client.NewContainer("db", name)
		require.NoError(t, err)
		return c
	}
	_, err = container(client, "none").ReadThroughput(ctx, nil)
	require.Equal(t, 404, status(t, err))
	read, err := container(client, "own").ReadThroughput(ctx, nil)
	require.NoError(t, err)
	n, manual := read.ThroughputProperties.ManualThroughput()
	require.True(t, manual)
	require.EqualValues(t, 400, n)
	require.False(t, read.IsReplacePending)

	more := azcosmos.NewManualThroughputProperties(1200)
	_, err = container(client, "own").ReplaceThroughput(ctx, more, &azcosmos.ThroughputOptions{IfMatchEtag: new(azcore.ETag("stale"))})
	require.Equal(t, 412, status(t, err))
	_, err = container(client, "own").ReplaceThroughput(ctx, azcosmos.NewManualThroughputProperties(450), nil)
	require.Equal(t, 400, status(t, err))
	_, err = container(client, "own").ReplaceThroughput(ctx, azcosmos.NewAutoscaleThroughputProperties(1000), nil)
	require.Equal(t, 400, status(t, err))
	_, err = container(client, "own").ReplaceThroughput(ctx, more, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	again := connect(t, RunT(t, func(o *Options) { o.Dir = dir }).ConnectionString())
	read, err = container(again, "own").ReadThroughput(ctx, nil)
	require.NoError(t, err)
	n, _ = read.ThroughputProperties.ManualThroughput()
	require.EqualValues(t, 1200, n)
	db, err = again.NewDatabase("db")
	require.NoError(t, err)
	_, err = again.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "plain"}, nil)
	require.NoError(t, err)
	plain, err := again.NewDatabase("plain")
	require.NoError(t, err)
	_, err = plain.ReadThroughput(ctx, nil)
	require.Equal(t, 404, status(t, err))
	_, err = plain.CreateContainer(ctx, outboxLike("c"), nil)
	require.NoError(t, err)
	c, err := again.NewContainer("plain", "c")
	require.NoError(t, err)
	read, err = c.ReadThroughput(ctx, nil)
	require.NoError(t, err)
	n, _ = read.ThroughputProperties.ManualThroughput()
	require.EqualValues(t, 400, n, "what is not asked for is the least")
	ofDatabase, err := db.ReadThroughput(ctx, nil)
	require.NoError(t, err)
	limit, autoscale := ofDatabase.ThroughputProperties.AutoscaleMaxThroughput()
	require.True(t, autoscale)
	require.EqualValues(t, 4000, limit)
}

func TestServerless(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, c := startContainer(t, outboxLike("c"), func(o *Options) { o.Serverless = true })
	_, err := c.ReadThroughput(ctx, nil)
	require.Equal(t, 400, status(t, err))
	db, err := connect(t, s.ConnectionString()).NewDatabase("db")
	require.NoError(t, err)
	own := azcosmos.NewManualThroughputProperties(400)
	_, err = db.CreateContainer(ctx, outboxLike("d"), &azcosmos.CreateContainerOptions{ThroughputProperties: &own})
	require.ErrorContains(t, err, "serverless")
	in, bad := s.account.Container("db", "c")
	require.Nil(t, bad)
	require.InDelta(t, 5000, in.Rate(), 0)
}
