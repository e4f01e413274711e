package replay_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/outbox/replay"
)

// large has a process run in which the snapshots of some entities are too large; failed are those
// that it has named.
func large(t *testing.T, s *store, is func(key string) bool) (failed []string, run replay.Run, err error) {
	t.Helper()
	var mu sync.Mutex
	run, err = process(s, func(o *replay.Options) {
		draft := o.Draft
		o.Draft = func(e outbox.Entity) outbox.Draft {
			d := draft(e)
			if is(e.Key) {
				d.Data = strings.Repeat("x", 300<<10)
			}
			return d
		}
		o.Failed = func(key string, err error) {
			mu.Lock()
			defer mu.Unlock()
			assert.ErrorContains(t, err, "the limit is")
			failed = append(failed, key)
		}
	}).Do(t.Context())
	return failed, run, err
}

// TestWhatIsTooLarge is named and passed over, also where it has a page for itself; the run is done.
func TestWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]func(key string) bool{
		"two of a page":  func(key string) bool { return key == "doc:3" || key == "doc:4" },
		"the last page":  func(key string) bool { return key == "doc:8" || key == "doc:9" },
		"the first page": func(key string) bool { return key != "doc:8" && key != "doc:9" },
		"all of a few":   func(string) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &store{MemStore: &outboxtest.MemStore{}}
				var want []string
				for _, key := range entities(t, s, 12) { // the first page has all but doc:8 and doc:9
					if is(key) {
						want = append(want, key)
					}
				}
				failed, run, err := large(t, s, is)
				require.NoError(t, err)
				require.True(t, run.Done)
				require.Equal(t, replay.Counts{Entities: 12, Snapshots: 12 - len(want), Failed: len(want)}, run.Counts)
				require.ElementsMatch(t, want, failed)
			})
		})
	}
}

// TestNothingCanBeWritten: where the first hundred are refused, and none is written, that is no
// entity's fault. The run ends, and begins at the first one when it is mended.
func TestNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 115)
		failed, run, err := large(t, s, func(string) bool { return true })
		require.ErrorContains(t, err, "none of the first 100 snapshots could be written: mend")
		require.Len(t, failed, 100)
		require.False(t, run.Done)
		failed, again, err := large(t, s, func(string) bool { return false })
		require.NoError(t, err)
		require.Empty(t, failed)
		require.Equal(t, run.ID, again.ID)
		require.Equal(t, replay.Counts{Entities: 115, Snapshots: 115}, again.Counts)
		for _, key := range keys {
			require.Len(t, snapshots(s.MemStore, key), 1)
		}
	})
}

// TestOneThatCanBeWritten among the first hundred shows that the others are at fault themselves.
func TestOneThatCanBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		entities(t, s, 115)
		failed, run, err := large(t, s, func(key string) bool { return key != "doc:50" })
		require.NoError(t, err)
		require.True(t, run.Done)
		require.Len(t, failed, 114)
		require.Equal(t, replay.Counts{Entities: 115, Snapshots: 1, Failed: 114}, run.Counts)
	})
}
