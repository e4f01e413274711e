package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// source is a store that takes a while.
type source struct {
	*outboxtest.MemStore
	takes time.Duration
	loads atomic.Int32
	fault func(key string) error
}

func (s *source) Load(ctx context.Context, key string) (outbox.Entity, error) {
	s.loads.Add(1)
	e, err := s.MemStore.Load(ctx, key)
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return outbox.Entity{}, ctx.Err()
	}
	if s.fault != nil {
		if err := s.fault(key); err != nil {
			return outbox.Entity{}, err
		}
	}
	return e, err
}

// write stores the next version of k:1.
func (s *source) write(t *testing.T) {
	t.Helper()
	e, err := s.MemStore.Load(t.Context(), "k:1")
	require.NoError(t, err)
	e.Version++
	e.Batch, e.Place = "b", "p"
	_, err = s.Commit(t.Context(), outbox.Commit{Key: "k:1", Entity: e})
	require.NoError(t, err)
}

// faulty is a cache that fails as it is told.
type faulty struct {
	cache.Store
	fault func(ctx context.Context) error
	asked atomic.Int32
}

func (f *faulty) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	f.asked.Add(1)
	if err := f.fault(ctx); err != nil {
		return cache.Entry{}, false, err
	}
	return f.Store.Get(ctx, key)
}

func (f *faulty) Put(ctx context.Context, e cache.Entry) error {
	f.asked.Add(1)
	if err := f.fault(ctx); err != nil {
		return err
	}
	return f.Store.Put(ctx, e)
}

func memory() *cache.Memory { return cache.NewMemory(1<<20, time.Hour) }

func reading(t *testing.T, r *cache.Reads, age time.Duration) (version int64, old time.Duration, hit bool) {
	t.Helper()
	e, old, hit, err := r.Recent(t.Context(), "k:1", age)
	require.NoError(t, err)
	synctest.Wait() // until it is kept
	return e.Version, old, hit
}

// TestNobodyIsShownMoreThanTheyAllow: what is old enough for one is too old for another, and their
// read serves the first again.
func TestNobodyIsShownMoreThanTheyAllow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}, takes: 10 * time.Millisecond}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		expect := func(age time.Duration, version int64, old time.Duration, hit bool) {
			t.Helper()
			v, o, h := reading(t, r, age)
			require.Equal(t, version, v)
			require.Equal(t, old, o)
			require.Equal(t, hit, h)
		}
		expect(time.Minute, 1, 10*time.Millisecond, false)
		s.write(t)
		time.Sleep(30 * time.Second)
		expect(time.Minute, 1, 30*time.Second+10*time.Millisecond, true)
		expect(30*time.Second, 2, 10*time.Millisecond, false)
		expect(time.Minute, 2, 10*time.Millisecond, true)
		time.Sleep(time.Minute - 10*time.Millisecond)
		expect(time.Minute, 2, time.Minute, true)
		time.Sleep(time.Nanosecond)
		expect(time.Minute, 2, 10*time.Millisecond, false)
		expect(0, 2, 10*time.Millisecond, false)
		require.EqualValues(t, 4, s.loads.Load())
	})
}

// TestWhatIsKeptIsForReadingOnly.
func TestWhatIsKeptIsForReadingOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		for range 2 {
			e, _, _, err := r.Recent(t.Context(), "k:1", time.Minute)
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, outbox.Entity{Key: "k:1", Version: 1}, e)
		}
	})
}

// TestManyWhoMissCostOneRead, also when the one who began it has left.
func TestManyWhoMissCostOneRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}, takes: time.Second}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		impatient, leave := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("gone"))
		defer leave()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _, _, err := r.Recent(impatient, "k:1", time.Minute)
			require.Equal(t, outbox.Timeout, outbox.ClassOf(err))
			require.ErrorContains(t, err, "gone")
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				e, _, hit, err := r.Recent(t.Context(), "k:1", time.Minute)
				require.NoError(t, err)
				require.False(t, hit)
				require.EqualValues(t, 1, e.Version)
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, s.loads.Load())
	})
}

// TestAReadThatBeganTooEarlyIsNotShared: who allows less than it has taken reads anew, once.
func TestAReadThatBeganTooEarlyIsNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}, takes: 3 * time.Second}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		var wg sync.WaitGroup
		wg.Go(func() { reading(t, r, time.Minute) })
		time.Sleep(2 * time.Second)
		s.write(t)
		version, _, _ := reading(t, r, time.Second)
		require.EqualValues(t, 2, version)
		wg.Wait()
		require.EqualValues(t, 2, s.loads.Load())
	})
}

// TestAFaultOfSomebodyElsesReadIsNotShared, if it has begun before.
func TestAFaultOfSomebodyElsesReadIsNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}, takes: time.Hour}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _, _, err := r.Recent(t.Context(), "k:1", time.Minute)
			require.Error(t, err)
		})
		time.Sleep(29 * time.Second)
		synctest.Wait()
		s.takes = 0 // it works again
		version, _, _ := reading(t, r, time.Minute)
		require.EqualValues(t, 1, version)
		wg.Wait()
		require.EqualValues(t, 2, s.loads.Load())
	})
}

// TestAReplicaThatLagsTakesNothingBack: what was kept is newer than what a read shows.
func TestAReplicaThatLagsTakesNothingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		r := cache.New(s, memory(), cache.Options{})
		s.write(t)
		lagging := s.Copy()
		s.write(t)
		reading(t, r, time.Minute)
		s.MemStore = lagging
		time.Sleep(2 * time.Second)
		version, old, hit := reading(t, r, time.Second)
		require.EqualValues(t, 2, version)
		require.Zero(t, old)
		require.False(t, hit)
		version, _, _ = reading(t, r, 0)
		require.EqualValues(t, 2, version)
		version, _, hit = reading(t, r, time.Minute)
		require.EqualValues(t, 2, version)
		require.True(t, hit)
	})
}

// TestAClockAheadIsNotTrusted: an entry of a time that has not come may be of any age.
func TestAClockAheadIsNotTrusted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := &source{MemStore: &outboxtest.MemStore{}}, memory()
		r := cache.New(s, m, cache.Options{})
		s.write(t)
		e, err := s.MemStore.Load(t.Context(), "k:1")
		require.NoError(t, err)
		require.NoError(t, m.Put(t.Context(), cache.Entry{Entity: e, At: time.Now().Add(time.Second)}))
		_, old, hit := reading(t, r, time.Minute)
		require.True(t, hit)
		require.Zero(t, old)
		require.NoError(t, m.Put(t.Context(), cache.Entry{Entity: e, At: time.Now().Add(time.Second + 1)}))
		_, _, hit = reading(t, r, time.Minute)
		require.False(t, hit)
	})
}

// TestAFullCacheCanBeRead: that nothing more can be kept is told seldom, and takes nothing from those
// who ask for what is there.
func TestAFullCacheCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		full := &fullStore{Store: memory()}
		var failed, back atomic.Int32
		r := cache.New(s, full, cache.Options{Observer: func(sig cache.Signal) {
			switch sig.(type) {
			case cache.Failed:
				failed.Add(1)
			case cache.Back:
				back.Add(1)
			}
		}})
		s.write(t)
		reading(t, r, time.Hour)
		full.full.Store(true)
		for range 600 {
			_, _, hit := reading(t, r, time.Hour)
			require.True(t, hit)
			reading(t, r, 0)
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, failed.Load(), int32(30))
		require.Zero(t, back.Load())
	})
}

// fullStore takes nothing when it is full.
type fullStore struct {
	cache.Store
	full atomic.Bool
}

func (f *fullStore) Put(ctx context.Context, e cache.Entry) error {
	if f.full.Load() {
		return errors.New("OOM")
	}
	return f.Store.Put(ctx, e)
}

// TestAFaultOfTheSourceIsTold as it is, and not kept; a panic is one.
func TestAFaultOfTheSourceIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		r := cache.New(s, memory(), cache.Options{LoadTime: 10 * time.Second})
		s.write(t)
		s.fault = func(string) error { return &outbox.Error{Class: outbox.Throttled, RetryAfter: time.Second} }
		_, _, _, err := r.Recent(t.Context(), "k:1", time.Minute)
		require.Equal(t, outbox.Throttled, outbox.ClassOf(err))
		s.fault = func(string) error { panic("secretless") }
		_, _, _, err = r.Recent(t.Context(), "k:1", time.Minute)
		require.ErrorContains(t, err, "secretless")
		s.fault, s.takes = nil, time.Hour
		_, _, _, err = r.Recent(t.Context(), "k:1", time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		s.takes = 0
		version, _, hit := reading(t, r, time.Minute)
		require.EqualValues(t, 1, version)
		require.False(t, hit)
	})
}

// TestWhatNeverWasIsNotKept: it has no number that a newer one could be compared with.
func TestWhatNeverWasIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		r := cache.New(s, memory(), cache.Options{})
		version, _, hit := reading(t, r, time.Minute)
		require.Zero(t, version)
		require.False(t, hit)
		s.write(t)
		version, _, hit = reading(t, r, time.Minute)
		require.EqualValues(t, 1, version)
		require.False(t, hit)
	})
}

// TestACacheThatDoesNotWorkCostsTime, and no answer: little of it, because it is left alone.
func TestACacheThatDoesNotWorkCostsTime(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(ctx context.Context) error{
		"refuses": func(context.Context) error { return errors.New("connection refused") },
		"stalls": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &source{MemStore: &outboxtest.MemStore{}}
				works := func(context.Context) error { return nil }
				f := &faulty{Store: memory(), fault: fault}
				var mu sync.Mutex
				var failed []cache.Failed
				var back []cache.Back
				r := cache.New(s, f, cache.Options{Observer: func(sig cache.Signal) {
					mu.Lock()
					defer mu.Unlock()
					switch sig := sig.(type) {
					case cache.Failed:
						failed = append(failed, sig)
					case cache.Back:
						back = append(back, sig)
					}
				}})
				s.write(t)
				began := time.Now()
				for range 600 {
					version, _, hit := reading(t, r, time.Minute)
					require.EqualValues(t, 1, version)
					require.False(t, hit)
					time.Sleep(100 * time.Millisecond)
				}
				outage := time.Since(began)
				require.LessOrEqual(t, outage, 66*time.Second, "six seconds of waiting in sixty")
				require.LessOrEqual(t, f.asked.Load(), int32(60))
				time.Sleep(6 * time.Second)
				synctest.Wait()
				require.NotEmpty(t, failed)
				for _, sig := range failed {
					require.LessOrEqual(t, sig.For, 5*time.Second)
				}
				require.Greater(t, failed[len(failed)-1].Times, 5)
				f.fault = works
				reading(t, r, time.Minute)
				_, _, hit := reading(t, r, time.Minute)
				require.True(t, hit, "it works again")
				require.Len(t, back, 2, "of asking and of telling")
				require.InDelta(t, outage.Seconds()+6, back[0].After.Seconds(), 1)
			})
		})
	}
}

// TestWhoLeavesSaysNothingAboutTheCache.
func TestWhoLeavesSaysNothingAboutTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		f := &faulty{Store: memory(), fault: func(ctx context.Context) error {
			select {
			case <-time.After(50 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		r := cache.New(s, f, cache.Options{Observer: func(sig cache.Signal) {
			if _, ok := sig.(cache.Failed); ok {
				t.Error("the cache works")
			}
		}})
		s.write(t)
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_, _, _, err := r.Recent(ctx, "k:1", time.Minute)
			require.Error(t, err)
			cancel()
		}
		time.Sleep(time.Second) // the read that they began is kept
		_, _, hit := reading(t, r, time.Minute)
		require.True(t, hit)
	})
}

// TestAWipeCostsReads.
func TestAWipeCostsReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{MemStore: &outboxtest.MemStore{}}
		f := &faulty{Store: memory(), fault: func(context.Context) error { return nil }}
		r := cache.New(s, f, cache.Options{})
		s.write(t)
		reading(t, r, time.Minute)
		f.Store = memory()
		version, _, hit := reading(t, r, time.Minute)
		require.EqualValues(t, 1, version)
		require.False(t, hit)
		_, _, hit = reading(t, r, time.Minute)
		require.True(t, hit)
	})
}
