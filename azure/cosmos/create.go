package cosmos

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/outbox"
)

// createPause is the pause between two tries while an emulator starts.
const createPause = 250 * time.Millisecond

// EnsureContainers creates the database and the containers unless they exist, and
// waits for an emulator that is still starting, as long as ctx allows. Only for
// emulators: in Azure, infrastructure owns them, and the identity lacks the right.
func (c *Client) EnsureContainers(ctx context.Context, database string, names ...string) error {
	err := c.untilUp(ctx, op{"create database", database}, func(ctx context.Context, sdk *azcosmos.Client) error {
		_, err := sdk.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: database}, nil)
		return err
	})
	for _, name := range names {
		if err != nil {
			return err
		}
		err = c.untilUp(ctx, op{"create container", name}, func(ctx context.Context, sdk *azcosmos.Client) error {
			return create(ctx, sdk, database, name)
		})
	}
	return err
}

// untilUp repeats f while the other side is away. It exists already: fine.
func (c *Client) untilUp(ctx context.Context, o op, f func(context.Context, *azcosmos.Client) error) error {
	for {
		err := c.try(ctx, f)
		if status, _ := statusOf(err); err == nil || status == http.StatusConflict {
			return nil
		}
		flt := diagnose(ctx, err, false)
		if flt.class.Permanent() || flt.class == outbox.Unauthorized || !sleep(ctx, max(flt.after, createPause)) {
			return flt.classified(o)
		}
	}
}

func (c *Client) try(ctx context.Context, f func(context.Context, *azcosmos.Client) error) error {
	sdk, err := c.sdk(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.AttemptTimeout)
	defer cancel()
	return f(ctx, sdk)
}

// create asks for the index policy of design §3, and without one from an emulator
// that takes none: then queries only cost more.
func create(ctx context.Context, sdk *azcosmos.Client, database, name string) error {
	db, err := sdk.NewDatabase(database)
	if err != nil {
		return &access.SettingError{Err: err}
	}
	p := containerProperties(name)
	_, err = db.CreateContainer(ctx, p, nil)
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok && e.StatusCode == http.StatusBadRequest {
		p.IndexingPolicy = nil
		_, err = db.CreateContainer(ctx, p, nil)
	}
	return err
}

func containerProperties(name string) azcosmos.ContainerProperties {
	n := Needed()
	p := azcosmos.ContainerProperties{
		ID:                name,
		DefaultTimeToLive: n.DefaultTTL,
		PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{
			Kind: azcosmos.PartitionKeyKindHash, Paths: n.PartitionKey, Version: n.PartitionKeyVersion,
		},
		IndexingPolicy: &azcosmos.IndexingPolicy{Automatic: true, IndexingMode: azcosmos.IndexingModeConsistent},
	}
	for _, path := range n.Included {
		p.IndexingPolicy.IncludedPaths = append(p.IndexingPolicy.IncludedPaths, azcosmos.IncludedPath{Path: path})
	}
	for _, path := range n.Excluded {
		p.IndexingPolicy.ExcludedPaths = append(p.IndexingPolicy.ExcludedPaths, azcosmos.ExcludedPath{Path: path})
	}
	return p
}
