package sql

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a run keeps of its regular expressions is bounded by their bytes: a short one may name many classes of thousands of
// characters.
func TestKeptPatternsAreBounded(t *testing.T) {
	t.Parallel()
	e := &env{budget: newBudget(context.Background())}
	all := 0
	for i := range maxPatterns {
		p := e.compile([]Value{StringOf(fmt.Sprint(strings.Repeat(`\pL`, 320), i))})
		require.NotNil(t, p)
		require.Greater(t, p.weight, 1<<20)
		all += p.weight
		kept := 0
		for _, p := range e.patterns {
			kept += p.weight
		}
		require.Equal(t, kept, e.compiled)
		require.LessOrEqual(t, kept, maxCompiled)
	}
	require.Greater(t, all, 8*maxCompiled)
	small := e.compile([]Value{StringOf("a+")})
	require.Same(t, small, e.compile([]Value{StringOf("a+")}))
	require.Nil(t, e.compile([]Value{StringOf("(")}))
	require.Nil(t, e.compile([]Value{StringOf("(")}), "what is not one is kept too")
}
