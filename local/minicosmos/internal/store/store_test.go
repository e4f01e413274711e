package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
)

// Of a change that fails or panics half-way nothing is stored, and others can be.
func TestHalfAChange(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for want, end := range map[error]func() error{refused: func() error { return refused }, errHalf: func() error { panic("defect") }} {
		s, err := Open(disk.Options{})
		require.NoError(t, err)
		change := func() {
			require.ErrorIs(t, s.Commit(func(b *pebble.Batch) error {
				require.NoError(t, b.Set([]byte("half"), nil, nil))
				return end()
			}, nil), want)
		}
		if want == errHalf {
			require.PanicsWithValue(t, "defect", change)
		} else {
			change()
		}
		whole := func() error {
			return s.Commit(func(b *pebble.Batch) error { return b.Set([]byte("whole"), nil, nil) }, nil)
		}
		if err := whole(); err != nil { // the group may still be open: whoever joins it hears that nothing was stored
			require.ErrorIs(t, err, want)
			require.NoError(t, whole())
		}
		v := s.Acquire()
		for key, there := range map[string]bool{"half": false, "whole": true} {
			found, err := v.Get([]byte(key), func([]byte) error { return nil })
			require.NoError(t, err)
			require.Equal(t, there, found, key)
		}
		require.NoError(t, v.Release())
		require.NoError(t, s.Close())
	}
}
