package account

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// A stripe knows the last documents that were written, each in its last version, unless they are large.
func TestStripe(t *testing.T) {
	t.Parallel()
	var s stripe
	version := func(number, version uint64, id string) *document.Record {
		return &document.Record{Number: number, Version: version, PK: []byte("k"), ID: id, Body: []byte("{}")}
	}
	known := func() (ids string) {
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			if r := s.find([]byte("k"), id); r != nil {
				require.Equal(t, id, r.ID)
				ids += id
			}
		}
		return ids
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		s.keep(version(uint64(i+1), 1, id))
	}
	require.Equal(t, "abcd", known())
	s.keep(version(1, 2, "a"))
	require.Equal(t, "abcd", known())
	require.EqualValues(t, 2, s.find([]byte("k"), "a").Version)
	require.Nil(t, s.find([]byte("other"), "a"))
	s.keep(version(5, 1, "e"))
	require.Equal(t, "acde", known(), "b was not written for longest")
	s.forget(5)
	s.forget(2)
	require.Equal(t, "acd", known())
	s.keep(version(2, 2, "b"))
	require.Equal(t, "abcd", known(), "there was a free place")
	s.forget(2)
	large := version(1, 3, "a")
	large.Body = make([]byte, recentBytes+1)
	s.keep(large)
	require.Equal(t, "cd", known(), "the old version is gone")
}
