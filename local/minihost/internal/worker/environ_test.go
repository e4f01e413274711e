package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "1"}
	require.Equal(t, []string{"A=1", "B=2"}, environ(env, map[string]string{"B": "2"}))
	require.Len(t, env, 1, "what is added for one process stays with it")
}
