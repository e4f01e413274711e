package rest

import (
	"slices"
	"strings"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// What is kept of queries: a client has a few texts, and parameters for the rest.
const (
	maxParsed     = 128
	maxParsedText = 1 << 10
)

// queries are those that were asked last, by their text. A parsed query never changes.
type queries struct {
	mu   sync.Mutex
	list map[string]*sql.Query // owned by mu
}

// query parses a text that is not known yet.
func (k *queries) query(text string) (*sql.Query, error) {
	if len(text) > maxParsedText {
		return sql.Parse(text)
	}
	k.mu.Lock()
	q := k.list[text]
	k.mu.Unlock()
	if q != nil {
		return q, nil
	}
	text = strings.Clone(text) // it is part of a request's
	q, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil || len(k.list) == maxParsed {
		k.list = map[string]*sql.Query{}
	}
	k.list[text] = q
	return q, nil
}

// of parses for a container: where a query leaves the distance of vectors to the container's policy, by that.
func (k *queries) of(c *account.Container) func(text string) (*sql.Query, error) {
	return func(text string) (*sql.Query, error) {
		q, err := k.query(text)
		if err != nil || !q.NeedsMetric() {
			return q, err
		}
		return sql.ParseFor(text, metricOf(c.Properties().Get("vectorEmbeddingPolicy")))
	}
}

// metricOf finds the distance function of a path in a policy.
func metricOf(policy sql.Value) func(path []string) string {
	return func(path []string) string {
		for _, embedding := range policy.Get("vectorEmbeddings").Items() {
			text, _ := embedding.Get("path").Str()
			if of, err := partition.Path(text); err == nil && slices.Equal(of, path) {
				name, _ := embedding.Get("distanceFunction").Str()
				return name
			}
		}
		return ""
	}
}
