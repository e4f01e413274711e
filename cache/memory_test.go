package cache_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/cache/cachetest"
	"github.com/relaybox/relaybox/outbox"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(*testing.T) cachetest.Subject {
		return cachetest.Subject{Store: cache.NewMemory(8<<20, cachetest.Life), Pass: time.Sleep}
	}, synctest.Test)
}

// TestMemoryIsBounded by the bytes that its entries weigh.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	m := cache.NewMemory(limit, time.Hour)
	for i := range 5_000 {
		e := outbox.Entity{Key: fmt.Sprint("k:", i), Version: 1, Data: make([]byte, 1000)}
		require.NoError(t, m.Put(t.Context(), cache.Entry{Entity: e, At: time.Now()}))
	}
	require.Eventually(t, func() bool { // it makes room behind its users' backs
		kept := 0
		for i := range 5_000 {
			if _, ok, _ := m.Get(t.Context(), fmt.Sprint("k:", i)); ok {
				kept++
			}
		}
		return kept > 0 && kept*1000 <= limit
	}, time.Minute, time.Millisecond)
}
