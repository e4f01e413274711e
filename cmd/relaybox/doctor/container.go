package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/azure/cosmos"
)

// Container is what matters about a container.
type Container = cosmos.ContainerProperties

// Role is what a container is used for.
type Role int

// Roles.
const (
	Outbox Role = iota // entities, their events and receipts
	Inbox              // read models of the consumer and their early events
)

// CheckContainer holds a container against what its role needs.
func CheckContainer(role Role, name string, c Container) []Finding {
	return []Finding{checkPartitionKey(name, c), checkTTL(role, name, c), checkIndex(role, name, c), checkUniqueKeys(name, c)}
}

func checkPartitionKey(name string, c Container) Finding {
	subject, need := name+" partition key", cosmos.Needed()
	const remedy = "a partition key cannot be changed: make the container anew, as infra/bicep does, and copy the documents"
	path := strings.Join(c.PartitionKey, ", ")
	if !slices.Equal(c.PartitionKey, need.PartitionKey) {
		return finding(Refused, subject, fmt.Sprintf("%s, and documents are written under %s", path, need.PartitionKey[0]), remedy)
	}
	return unless(c.PartitionKeyVersion == need.PartitionKeyVersion, fmt.Sprintf("%s, hash version %d", path, c.PartitionKeyVersion),
		finding(Warning, subject, fmt.Sprintf("%s, hash version %d: long ids share partitions", path, c.PartitionKeyVersion), remedy))
}

func checkTTL(role Role, name string, c Container) Finding {
	subject := name + " time to live"
	const remedy = "set the container's default TTL to -1 (on, no default)"
	switch {
	case c.DefaultTTL == nil:
		return finding(Refused, subject, "off: receipts would never expire, whatever their own ttl says", remedy)
	case *c.DefaultTTL == -1:
		return ok(subject, "on, without a default")
	case role == Outbox:
		return finding(Refused, subject, fmt.Sprintf("default of %d s: entities and events that were not sent yet would expire", *c.DefaultTTL), remedy)
	}
	return finding(Refused, subject, fmt.Sprintf("default of %d s: read models would expire, and old events be taken for new", *c.DefaultTTL), remedy)
}

// checkIndex: the dispatcher's queries need four paths, those for early events two.
func checkIndex(role Role, name string, c Container) Finding {
	subject, need := name+" index", cosmos.Needed()
	remedy := fmt.Sprintf("use the policy of infra/bicep: include %s, exclude %s", strings.Join(need.Included, " "), strings.Join(need.Excluded, " "))
	switch c.Indexing {
	case need.Indexing:
	case "":
		return finding(Warning, subject, "the store does not tell its index policy", "an emulator need not; in Azure "+remedy)
	default:
		return finding(Refused, subject, fmt.Sprintf("mode %s: expiry and the sweeps' queries need a consistent index", c.Indexing), remedy)
	}
	var unindexed []string
	for _, path := range map[Role][]string{Outbox: cosmos.OutboxPaths, Inbox: cosmos.InboxPaths}[role] {
		if !indexed(c, path) {
			unindexed = append(unindexed, path)
		}
	}
	switch {
	case len(unindexed) > 0:
		return finding(Refused, subject, strings.Join(unindexed, " ")+" not indexed: every sweep would read the whole container, and the queries that sort fail", remedy)
	case indexed(c, "/any other/?"):
		return finding(Warning, subject, "everything is indexed: each write costs more request units than it needs", remedy)
	}
	return ok(subject, "%s", strings.Join(c.Included, " "))
}

// indexed says whether values at path, which ends in /?, are in the index. The more
// precise of the matching paths decides.
func indexed(c Container, path string) bool {
	return precision(c.Included, path) > precision(c.Excluded, path)
}

// precision is how much of path the best of the patterns spells out; -1 if none matches.
func precision(patterns []string, path string) int {
	best := -1
	for _, p := range patterns {
		p = strings.ReplaceAll(p, `"`, "")
		if prefix, open := strings.CutSuffix(p, "*"); open && strings.HasPrefix(path, prefix) {
			best = max(best, 2*len(prefix))
		}
		if p == path {
			best = max(best, 2*len(p)+1)
		}
	}
	return best
}

func checkUniqueKeys(name string, c Container) Finding {
	var keys []string
	for _, paths := range c.UniqueKeys {
		keys = append(keys, strings.Join(paths, "+"))
	}
	return unless(len(keys) == 0, "none", finding(Refused, name+" unique keys",
		strings.Join(keys, ", ")+": most documents of a partition lack such a path and would count as equal",
		"unique keys cannot be removed: make the container anew without them"))
}
