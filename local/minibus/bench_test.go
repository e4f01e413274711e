package minibus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// benchClient is a client of a broker on disk.
func benchClient(b *testing.B) *azservicebus.Client {
	bus := minibus.RunT(b, func(o *minibus.Options) {
		o.Dir = b.TempDir()
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "q", MaxDeliveryCount: 10}}}
	})
	c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close(context.Background())) })
	return c
}

func fill(b *testing.B, c *azservicebus.Client, n int) {
	s, err := c.NewSender("q", nil)
	require.NoError(b, err)
	for n > 0 {
		batch, err := s.NewMessageBatch(b.Context(), nil)
		require.NoError(b, err)
		for range min(n, 100) {
			require.NoError(b, batch.AddMessage(&azservicebus.Message{Body: make([]byte, 1024)}, nil))
			n--
		}
		require.NoError(b, s.SendMessageBatch(b.Context(), batch, nil))
	}
}

// BenchmarkSendBatch counts messages of 1 KB in batches of 100, sent by 4 senders.
func BenchmarkSendBatch(b *testing.B) {
	c := benchClient(b)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 4 {
		wg.Go(func() { fill(b, c, b.N/4+1) })
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkSendSingle counts single messages of 1 KB, sent by 16 senders.
func BenchmarkSendSingle(b *testing.B) {
	c := benchClient(b)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			s, err := c.NewSender("q", nil)
			if err != nil {
				b.Error(err)
				return
			}
			for left.Add(-1) >= 0 {
				if err := s.SendMessage(b.Context(), &azservicebus.Message{Body: make([]byte, 1024)}, nil); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkReceive counts messages of 1 KB that 8 receivers take and complete.
func BenchmarkReceive(b *testing.B) {
	c := benchClient(b)
	fill(b, c, b.N)
	var left atomic.Int64
	left.Store(int64(b.N))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wg sync.WaitGroup
	b.ResetTimer()
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
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
