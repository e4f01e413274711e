package minibus_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// The benchmarks measure client and broker together, in one process, with messages of 1 KB:
//
//	go test ./local/minibus -run - -bench . -benchtime 100000x
//	go test ./local/minibus -run - -bench Backlog -benchtime 1x    # a million messages
//
// Each runs against a broker on disk, one in memory, and an echo (echo_test.go) that speaks the same frames and keeps
// nothing. Compare within one run only.
func against(b *testing.B, run func(b *testing.B, c *azservicebus.Client)) {
	queues := func(o *minibus.Options) {
		o.MaxEntityBytes = 1 << 40
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "q", MaxDeliveryCount: 10}, {Name: "s", RequiresSession: true}}}
	}
	b.Run("disk", func(b *testing.B) {
		run(b, benchClient(b, minibus.RunT(b, queues, func(o *minibus.Options) { o.Dir = b.TempDir() }).ConnectionString()))
	})
	b.Run("memory", func(b *testing.B) { run(b, benchClient(b, minibus.RunT(b, queues).ConnectionString())) })
	b.Run("echo", func(b *testing.B) { run(b, benchClient(b, echoConnection(b))) })
}

func benchClient(b *testing.B, connection string) *azservicebus.Client {
	c, err := azservicebus.NewClientFromConnectionString(connection, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close(context.Background())) })
	return c
}

func rate(b *testing.B, n int, since time.Time, name string) float64 {
	perSecond := float64(n) / time.Since(since).Seconds()
	b.ReportMetric(perSecond, name)
	return perSecond
}

// fill sends n messages in batches of 100, by 4 senders.
func fill(b *testing.B, c *azservicebus.Client, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := c.NewSender("q", nil)
			for err == nil {
				size := min(100, left.Add(-100)+100)
				if size <= 0 {
					return
				}
				err = sendBatch(b, s, int(size))
			}
			b.Error(err)
		})
	}
	wg.Wait()
}

func sendBatch(b *testing.B, s *azservicebus.Sender, n int) error {
	batch, err := s.NewMessageBatch(b.Context(), nil)
	if err != nil {
		return err
	}
	for range n {
		if err := batch.AddMessage(&azservicebus.Message{Body: make([]byte, 1024)}, nil); err != nil {
			return err
		}
	}
	return s.SendMessageBatch(b.Context(), batch, nil)
}

// single sends n messages one by one, by 16 senders.
func single(b *testing.B, c *azservicebus.Client, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			s, err := c.NewSender("q", nil)
			for err == nil && left.Add(-1) >= 0 {
				err = s.SendMessage(b.Context(), &azservicebus.Message{Body: make([]byte, 1024)}, nil)
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// drain has 8 receivers take and complete n messages.
func drain(b *testing.B, c *azservicebus.Client, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := c.NewReceiverForQueue("q", nil)
			if err != nil {
				b.Error(err)
				return
			}
			for left.Load() > 0 {
				got, err := r.ReceiveMessages(ctx, 50, nil)
				if err != nil {
					return
				}
				var completed sync.WaitGroup
				for _, m := range got {
					completed.Go(func() {
						if err := r.CompleteMessage(b.Context(), m, nil); err != nil {
							b.Error(err)
						}
						if left.Add(-1) == 0 {
							cancel()
						}
					})
				}
				completed.Wait()
			}
		})
	}
	wg.Wait()
}

func BenchmarkSendBatch(b *testing.B) {
	against(b, func(b *testing.B, c *azservicebus.Client) {
		b.ResetTimer()
		start := time.Now()
		fill(b, c, b.N)
		rate(b, b.N, start, "msg/s")
	})
}

func BenchmarkSendSingle(b *testing.B) {
	against(b, func(b *testing.B, c *azservicebus.Client) {
		b.ResetTimer()
		start := time.Now()
		single(b, c, b.N)
		rate(b, b.N, start, "msg/s")
	})
}

func BenchmarkReceive(b *testing.B) {
	against(b, func(b *testing.B, c *azservicebus.Client) {
		fill(b, c, b.N+8*50) // more than is received, so that no receiver waits
		b.ResetTimer()
		start := time.Now()
		drain(b, c, b.N)
		rate(b, b.N, start, "msg/s")
	})
}

// BenchmarkSessions has 32 receivers, with a connection each, accept b.N sessions with one message each: use
// -benchtime 10000x. Most of it is the client's work: four links and two tokens a session.
func BenchmarkSessions(b *testing.B) {
	bus := minibus.RunT(b, func(o *minibus.Options) {
		o.Dir = b.TempDir()
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "s", RequiresSession: true}}}
	})
	b.Run("disk", func(b *testing.B) {
		fillSessions(b, benchClient(b, bus.ConnectionString()), b.N)
		drainSessions(b, bus.ConnectionString())
		require.Zero(b, bus.Counts("s").Active)
	})
	b.Run("echo", func(b *testing.B) { drainSessions(b, echoConnection(b)) })
}

func fillSessions(b *testing.B, c *azservicebus.Client, n int) {
	s, err := c.NewSender("s", nil)
	require.NoError(b, err)
	for n > 0 {
		batch, err := s.NewMessageBatch(b.Context(), nil)
		require.NoError(b, err)
		for range min(100, n) {
			require.NoError(b, batch.AddMessage(&azservicebus.Message{SessionID: new(strconv.Itoa(n)), Body: make([]byte, 1024)}, nil))
			n--
		}
		require.NoError(b, s.SendMessageBatch(b.Context(), batch, nil))
	}
}

func drainSessions(b *testing.B, connection string) {
	clients := make([]*azservicebus.Client, 32)
	for n := range clients {
		clients[n] = benchClient(b, connection)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for _, c := range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := oneSession(b.Context(), c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rate(b, b.N, start, "sessions/s")
}

func oneSession(ctx context.Context, c *azservicebus.Client) error {
	r, err := c.AcceptNextSessionForQueue(ctx, "s", nil)
	if err != nil {
		return err
	}
	got, err := r.ReceiveMessages(ctx, 1, nil)
	if err != nil {
		return err
	}
	if err := r.CompleteMessage(ctx, got[0], nil); err != nil {
		return err
	}
	return r.Close(ctx)
}

// BenchmarkBacklog measures a queue on disk that is short, and again with a million messages in it, and how much memory
// the whole process then has. A restart finds them all.
func BenchmarkBacklog(b *testing.B) {
	const million, sample, rounds = 1_000_000, 40_000, 4
	dir := b.TempDir()
	o := minibus.Options{Dir: dir, MaxEntityBytes: 1 << 40, Config: &minibus.Config{Queues: []minibus.Queue{{Name: "q", MaxDeliveryCount: 10}}}}
	bus, connection := benchServer(b, o)
	c := benchClient(b, connection)
	// Rounds take turns, so that what the machine does meanwhile and what the store does behind falls on all of them.
	measure := func() (batch, one, receive float64) {
		var took [3]time.Duration
		for range rounds {
			for i, do := range []func(*testing.B, *azservicebus.Client, int){fill, single, drain} {
				n := sample
				if i == 2 {
					n = 2*sample - 500
				}
				start := time.Now()
				do(b, c, n)
				took[i] += time.Since(start)
			}
		}
		per := func(d time.Duration, n int) float64 { return float64(n*rounds) / d.Seconds() }
		return per(took[0], sample), per(took[1], sample), per(took[2], 2*sample-500)
	}
	measure() // warms up
	batch, one, receive := measure()
	start := time.Now()
	fill(b, c, million)
	rate(b, million, start, "fill/s")
	longBatch, longOne, longReceive := measure()
	runtime.GC()
	b.ReportMetric(residentMB(b), "MB-resident")
	b.ReportMetric(longBatch/batch, "batch-ratio")
	b.ReportMetric(longOne/one, "single-ratio")
	b.ReportMetric(longReceive/receive, "receive-ratio")
	require.NoError(b, c.Close(b.Context()))
	require.NoError(b, bus.Close())
	start = time.Now()
	again, _ := benchServer(b, o)
	b.ReportMetric(time.Since(start).Seconds(), "s-reopen")
	require.Greater(b, again.Counts("q").Active, million)
}

func benchServer(b *testing.B, o minibus.Options) (*minibus.Server, string) {
	s, err := minibus.Open(o)
	require.NoError(b, err)
	l := listen(b)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	b.Cleanup(func() {
		require.NoError(b, s.Close())
		require.NoError(b, <-served)
	})
	return s, s.ConnectionString(l.Addr().String())
}

// residentMB is the highest resident memory that the process has had.
func residentMB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: memory cannot be read")
	}
	var kB float64
	for line := range bytes.Lines(status) {
		if _, err := fmt.Sscanf(string(line), "VmHWM: %f kB", &kB); err == nil {
			return kB / 1024
		}
	}
	b.Fatal("no VmHWM in /proc/self/status")
	return 0
}
