package inbox

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNumbersAreASet puts them beside the plainest set there is.
func TestNumbersAreASet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var ns Numbers
		plain := map[int64]bool{}
		for range 40 {
			n := 1 + rng.Int64N(40)
			switch rng.IntN(4) {
			case 0:
				ns = ns.Without(n)
				delete(plain, n)
			case 1:
				if rng.IntN(5) > 0 {
					continue
				}
				ns = ns.Above(n)
				for m := range plain {
					if m <= n {
						delete(plain, m)
					}
				}
			default:
				to := n + rng.Int64N(5) - 1
				ns = ns.With(n, to)
				for m := n; m <= to; m++ {
					plain[m] = true
				}
			}
			lowest := int64(0)
			for n := int64(50); n > 0; n-- {
				require.Equal(t, plain[n], ns.Has(n), "seed %d: %v has %d", seed, ns, n)
				if plain[n] {
					lowest = n
				}
			}
			require.Equal(t, lowest, ns.Lowest())
			require.EqualValues(t, len(plain), ns.Len())
			for i := 1; i < len(ns); i++ {
				require.Greater(t, ns[i].From, ns[i-1].To+1, "seed %d: %v", seed, ns)
			}
		}
		text, err := json.Marshal(ns)
		require.NoError(t, err)
		var back Numbers
		require.NoError(t, json.Unmarshal(text, &back))
		require.Len(t, back, len(ns))
		for i := range ns {
			require.Equal(t, ns[i], back[i])
		}
	}
}

func TestNumbersAsText(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Numbers{}.With(3, 4).With(9, 9))
	require.NoError(t, err)
	require.Equal(t, `[[3,4],[9,9]]`, string(text))
	require.Error(t, json.Unmarshal([]byte(`[3]`), new(Numbers)))
	require.Equal(t, Numbers{{9, 9}}, Numbers{}.With(3, 4).With(9, 9).newest(1))
}
