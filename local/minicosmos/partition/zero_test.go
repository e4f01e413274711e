package partition

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The two zeros are equal, are stored as one key, and lie at one place.
func TestZeros(t *testing.T) {
	t.Parallel()
	zero, minus := Key{sql.NumberOf(0)}, Key{sql.NumberOf(math.Copysign(0, -1))}
	require.True(t, zero.Equal(minus))
	require.Equal(t, zero.AppendStorage(nil), minus.AppendStorage(nil))
	for _, d := range []*Definition{define(t, "Hash", 1, 1), define(t, "Hash", 2, 1), define(t, "MultiHash", 2, 2)} {
		require.Equal(t, d.EPK(zero), d.EPK(minus), "%s version %d", d.Kind, d.Version)
	}
	read, err := ParseHeader("[-0]")
	require.NoError(t, err)
	require.Equal(t, define(t, "Hash", 2, 1).EPK(zero), define(t, "Hash", 2, 1).EPK(read))
}
