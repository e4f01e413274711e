package document

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The precedence of paths is that of Microsoft's page on index policies: the longer path wins, and ? over *.
func TestCanOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		policy, query string
		want          error
	}{
		{`{"includedPaths":[{"path":"/*"}]}`, "SELECT * FROM c ORDER BY c.a", nil},
		{`{"includedPaths":[{"path":"/*"}]}`, "SELECT * FROM c ORDER BY c.a, c.b", ErrOrderComposite},
		{`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/?"}]}`, "SELECT * FROM c ORDER BY c.a", ErrOrderExcluded},
		{`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/?"}]}`, "SELECT * FROM c ORDER BY c.a.b", nil},
		{`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/*"}]}`, "SELECT * FROM c ORDER BY c.a.b", ErrOrderExcluded},
		{`{"includedPaths":[{"path":"/*"},{"path":"/a/b/?"}],"excludedPaths":[{"path":"/a/*"}]}`, "SELECT * FROM c ORDER BY c.a.b", nil},
		{`{"includedPaths":[{"path":"/\"a b\"/?"}],"excludedPaths":[{"path":"/*"}]}`, `SELECT * FROM c ORDER BY c["a b"]`, nil},
		{`{"includedPaths":[{"path":"/x/?"}],"excludedPaths":[{"path":"/*"}]}`, "SELECT VALUE x.y FROM x ORDER BY x.y", ErrOrderExcluded},
		{`{"includedPaths":[],"excludedPaths":[{"path":"/*"}]}`, "SELECT * FROM c ORDER BY c._ts DESC", nil},
		{`{"includedPaths":[],"excludedPaths":[{"path":"/*"}]}`, "SELECT * FROM c ORDER BY c.id", nil},
		{`{"indexingMode":"none"}`, "SELECT * FROM c ORDER BY c.a", ErrOrderExcluded},
		{`{"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`, "SELECT * FROM c ORDER BY c.a, c.b DESC", nil},
		{`{"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`, "SELECT * FROM c ORDER BY c.a DESC, c.b ASC", nil},
		{`{"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`, "SELECT * FROM c ORDER BY c.a, c.b", ErrOrderComposite},
		{`{"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`, "SELECT * FROM c ORDER BY c.b DESC, c.a", ErrOrderComposite},
		{`{"compositeIndexes":[[{"path":"/a"},{"path":"/b"},{"path":"/c"}]]}`, "SELECT * FROM c ORDER BY c.a, c.b", ErrOrderComposite},
	} {
		policy, err := sql.ParseJSON([]byte(`{"indexingPolicy":` + test.policy + `}`))
		require.NoError(t, err)
		p, err := NewPolicy(policy, &partition.Definition{})
		require.NoError(t, err)
		q, err := sql.Parse(test.query)
		require.NoError(t, err)
		require.Equal(t, test.want, p.CanOrder(q.OrderPaths()), "%s under %s", test.query, test.policy)
	}
}
