package servicebus

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/stretchr/testify/require"
)

// TestABrokerThatRefusesEverythingParksNothing: the production publisher under the
// dispatcher, with an operator's mistake that the broker blames on each message.
func TestABrokerThatRefusesEverythingParksNothing(t *testing.T) {
	t.Parallel()
	for _, keys := range []int{1, 30} {
		for _, condition := range []amqp.ErrCond{amqp.ErrCondNotAllowed, amqp.ErrCondMessageSizeExceeded} {
			t.Run(fmt.Sprint(keys, " ", condition), func(t *testing.T) {
				t.Parallel()
				bus := minibus.RunT(t, topology)
				p := closed(t, Open(Connection{ConnectionString: bus.ConnectionString()}, Options{})).Publisher("events", PublisherOptions{})
				s := &outboxtest.MemStore{}
				for i := range keys {
					key := fmt.Sprint("k", i)
					c := outbox.Commit{Key: key, Entity: outbox.Entity{Key: key, Version: 1, LastSeq: 3}}
					for seq := int64(1); seq <= 3; seq++ {
						c.Events = append(c.Events, outbox.Event{Key: key, Seq: seq, ID: fmt.Sprint(key, "-", seq), Type: "t", Envelope: []byte(`{}`)})
					}
					_, err := s.Commit(t.Context(), c)
					require.NoError(t, err)
				}
				var refused atomic.Int64
				d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Budget: 3 * time.Second, Observer: func(sig outbox.Signal) {
					switch sig := sig.(type) {
					case outbox.Parked:
						t.Errorf("parked: %+v", sig)
					case outbox.Refused:
						refused.Add(1)
						require.Equal(t, string(condition), outbox.ConditionOf(sig.Err))
					}
				}})
				require.NoError(t, bus.Inject(minibus.Fault{On: minibus.OnSend, Do: minibus.Refuse, Condition: string(condition), Text: "no"}))
				for refused.Load() <= 3 { // more than it takes to park a message
					_, err := d.Sweep(t.Context()) // 3 s
					require.NoError(t, err)
				}
				bus.ClearFaults()
				for i := range keys {
					key := fmt.Sprint("k", i)
					for len(s.Events(key)) > 0 { // a sweep has 3 s
						_, err := d.Sweep(t.Context())
						require.NoError(t, err)
					}
					require.Len(t, received(bus.Server, outbox.Session(key)), 3)
				}
			})
		}
	}
}
