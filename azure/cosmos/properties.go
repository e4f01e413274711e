package cosmos

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

// ContainerProperties is what matters about a container: what the app creates in an
// emulator, what infrastructure gives in Azure, and what doctor finds.
type ContainerProperties struct {
	PartitionKey        []string // paths
	PartitionKeyVersion int      // of the hash: 1 or 2
	// DefaultTTL in seconds: nil is off (a document's own ttl is ignored), -1 is on
	// without a default.
	DefaultTTL *int32
	// Indexing is the mode in lower case, consistent or none; "" if the store keeps the
	// policy to itself, as an emulator may.
	Indexing           string
	Included, Excluded []string // index paths
	UniqueKeys         [][]string
}

// What the queries of each side need in the index.
var (
	OutboxPaths = []string{"/pk/?", "/pending/?", "/parked/?", "/seq/?"}
	InboxPaths  = []string{"/earlySince/?", "/seq/?"}
)

// Needed is what the outbox's and the inbox's container have to be like (design §3): the
// one place that says so. They share a policy: a path that no document has costs nothing.
func Needed() ContainerProperties {
	ownTTLOnly := int32(-1)
	return ContainerProperties{
		PartitionKey: []string{"/pk"}, PartitionKeyVersion: 2,
		DefaultTTL: &ownTTLOnly,
		Indexing:   "consistent",
		Included:   []string{"/pk/?", "/pending/?", "/parked/?", "/seq/?", "/earlySince/?"},
		Excluded:   []string{"/*"},
	}
}

func propertiesOf(p *azcosmos.ContainerProperties) ContainerProperties {
	c := ContainerProperties{
		PartitionKey: p.PartitionKeyDefinition.Paths, PartitionKeyVersion: max(1, p.PartitionKeyDefinition.Version),
		DefaultTTL: p.DefaultTimeToLive,
	}
	if policy := p.IndexingPolicy; policy != nil {
		c.Indexing = strings.ToLower(string(policy.IndexingMode))
		for _, path := range policy.IncludedPaths {
			c.Included = append(c.Included, path.Path)
		}
		for _, path := range policy.ExcludedPaths {
			c.Excluded = append(c.Excluded, path.Path)
		}
	}
	if keys := p.UniqueKeyPolicy; keys != nil {
		for _, k := range keys.UniqueKeys {
			c.UniqueKeys = append(c.UniqueKeys, k.Paths)
		}
	}
	return c
}
