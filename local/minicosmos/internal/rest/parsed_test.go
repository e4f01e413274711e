package rest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A text is parsed once, as long as there are not too many, and none of them is large.
func TestParsed(t *testing.T) {
	t.Parallel()
	var k queries
	parse := func(text string) any {
		q, err := k.query(text)
		require.NoError(t, err)
		return q
	}
	first := parse("SELECT * FROM c")
	require.Same(t, first, parse("SELECT * FROM c"))
	for i := range maxParsed {
		parse(fmt.Sprintf("SELECT VALUE %d", i))
		require.LessOrEqual(t, len(k.list), maxParsed)
	}
	require.NotSame(t, first, parse("SELECT * FROM c"), "it was forgotten")
	large := fmt.Sprintf("SELECT VALUE %q", strings.Repeat("x", maxParsedText))
	require.NotSame(t, parse(large), parse(large))
	_, err := k.query("SELECT")
	require.Error(t, err)
	require.NotContains(t, k.list, "SELECT")
}
