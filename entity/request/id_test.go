package request

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidID(t *testing.T) {
	t.Parallel()
	for id, valid := range map[string]bool{
		"p-1": true, "A.b_c~d": true, "...": true, strings.Repeat("i", 128): true,
		"": false, ".": false, "..": false, "a/b": false, "a b": false, "a%2Fb": false, "ä": false, "a\n": false,
		strings.Repeat("i", 129): false,
	} {
		require.Equal(t, valid, ValidID(id), "%q", id)
	}
}
