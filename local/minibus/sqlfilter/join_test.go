package sqlfilter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// long is a message whose property a is a text.
type long string

func (long) System(string) (any, bool) { return nil, false }
func (l long) User(string) (any, bool) { return string(l), true }

// A short condition cannot make a text that is larger than any message.
func TestTextsThatGrow(t *testing.T) {
	t.Parallel()
	f, err := Parse("a"+strings.Repeat("+a", 500)+" LIKE '%x'", nil)
	require.NoError(t, err)
	_, err = f.Match(long(strings.Repeat("a", 64<<10)))
	require.ErrorIs(t, err, ErrOperand)
	matches, err := f.Match(long("x"))
	require.NoError(t, err)
	require.True(t, matches)
}
