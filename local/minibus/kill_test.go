package minibus_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/test/victim"
)

func TestMain(m *testing.M) {
	os.Exit(victim.Main(m, map[string]victim.Server{
		"killable": serves(killable),
		"stepped":  serves(stepped),
	}))
}

func killable(dir string) minibus.Options {
	return minibus.Options{Dir: dir, CacheBytes: 20_000, Config: &minibus.Config{Queues: []minibus.Queue{
		{Name: "single", RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: time.Hour},
		{Name: "batch"}, {Name: "later"}, {Name: "sessions", RequiresSession: true},
	}}}
}

// serves is a broker on a folder in a process of its own, to be killed.
func serves(options func(dir string) minibus.Options) victim.Server {
	return func(arguments []string, ready io.Writer) error {
		bus, err := minibus.Open(options(arguments[0]))
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Fprintln(ready, l.Addr())
		return bus.Serve(l)
	}
}

// ledger is what clients have been told, and what they do not know. A confirmed thing is in one set, one whose answer
// never came in the other.
type ledger struct {
	dir string

	mu                           sync.Mutex
	sent, maybeSent              map[string]bool
	completed, maybeCompleted    map[string]bool
	batches, maybeBatches        map[int]bool
	scheduled, cancelled, unsure map[int64]bool
	state, attempted             int // of the session
	operations                   int
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operations++
	change()
}

// attempt does something whose outcome is unknown until it is confirmed, or for ever.
func attempt[K comparable](l *ledger, key K, known, unknown map[K]bool, do func() error) error {
	l.note(func() { unknown[key] = true })
	err := do()
	if err == nil {
		l.note(func() {
			delete(unknown, key)
			known[key] = true
		})
	}
	return err
}

// TestKills kills a broker under load, again and again (BUS_KILLS; 8), and looks into its store each time: what was
// confirmed is there, what was completed is not, batches are whole.
func TestKills(t *testing.T) {
	t.Parallel()
	kills := 8
	if text := os.Getenv("BUS_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	random, l, operations := rand.New(rand.NewPCG(7, 7)), (*ledger)(nil), 0
	for life := range kills {
		if life%10 == 0 { // what has piled up is looked through after each kill
			l = newLedger(t.TempDir())
		}
		before := l.operations
		l.live(t, life, 20*time.Millisecond+time.Duration(random.IntN(100))*time.Millisecond)
		l.verify(t)
		operations += l.operations - before
	}
	t.Logf("%d kills, %d operations; of the last store: %d messages and %d batches sent, %d completed, %d scheduled, %d schedules cancelled, state %d",
		kills, operations, len(l.sent), len(l.batches), len(l.completed), len(l.scheduled), len(l.cancelled), l.state)
	require.NotEmpty(t, l.completed)
	require.NotEmpty(t, l.batches)
	require.NotEmpty(t, l.cancelled)
	require.NotZero(t, l.state)
}

func newLedger(dir string) *ledger {
	return &ledger{
		dir: dir, sent: map[string]bool{}, maybeSent: map[string]bool{}, completed: map[string]bool{}, maybeCompleted: map[string]bool{},
		batches: map[int]bool{}, maybeBatches: map[int]bool{}, scheduled: map[int64]bool{}, cancelled: map[int64]bool{}, unsure: map[int64]bool{},
	}
}

// worker does one more thing; an error is the end of its broker.
type worker func(ctx context.Context, n int) error

// live runs a broker and its clients for a time, and kills it. The time of three lives of four begins when each client
// has done something; the fourth's may be over before anybody has.
func (l *ledger) live(t *testing.T, life int, lifetime time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broker, err := victim.Start("killable", l.dir)
	require.NoError(t, err)
	defer broker.Kill()
	c, err := azservicebus.NewClientFromConnectionString(minibus.DefaultPolicy.ConnectionString(broker.At),
		&azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}})
	require.NoError(t, err)
	var clients, idle sync.WaitGroup
	for w, begin := range []func(context.Context, *azservicebus.Client) (worker, error){l.sendOnes, l.sendBatches, l.complete, l.schedule, l.setState} {
		idle.Add(1)
		clients.Go(func() {
			began := sync.OnceFunc(idle.Done)
			defer began()
			work, err := begin(ctx, c)
			for n := 0; err == nil && n < 500; n++ {
				err = work(ctx, (life*10+w)*1_000_000+n)
				began()
			}
		})
	}
	if life%4 != 3 {
		idle.Wait()
	}
	timer := time.NewTimer(lifetime) // the moment of death is what is tried here
	<-timer.C
	broker.Kill()
	cancel()
	gone := make(chan struct{})
	go func() {
		clients.Wait()
		_ = c.Close(context.Background()) // there is nobody
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(2 * time.Second): // go-amqp may wait for ever for a connection that has broken in the middle of a send
		t.Log("a client does not notice that its broker has gone")
	}
}

func (l *ledger) sendOnes(ctx context.Context, c *azservicebus.Client) (worker, error) {
	s, err := c.NewSender("single", nil)
	return func(ctx context.Context, n int) error {
		id := strconv.Itoa(n)
		return attempt(l, id, l.sent, l.maybeSent, func() error {
			return s.SendMessage(ctx, &azservicebus.Message{MessageID: &id, Body: make([]byte, 500)}, nil)
		})
	}, err
}

func (l *ledger) sendBatches(ctx context.Context, c *azservicebus.Client) (worker, error) {
	s, err := c.NewSender("batch", nil)
	return func(ctx context.Context, n int) error {
		batch, err := s.NewMessageBatch(ctx, nil)
		if err != nil {
			return err
		}
		for i := range 7 {
			if err := batch.AddMessage(&azservicebus.Message{MessageID: new(fmt.Sprintf("%d/%d", n, i))}, nil); err != nil {
				return err
			}
		}
		return attempt(l, n, l.batches, l.maybeBatches, func() error { return s.SendMessageBatch(ctx, batch, nil) })
	}, err
}

// complete takes some messages, and settles half of them.
func (l *ledger) complete(ctx context.Context, c *azservicebus.Client) (worker, error) {
	r, err := c.NewReceiverForQueue("single", nil)
	return func(ctx context.Context, _ int) error {
		got, err := r.ReceiveMessages(ctx, 4, nil)
		for i, m := range got {
			if i%2 == 1 || err != nil {
				continue
			}
			err = attempt(l, m.MessageID, l.completed, l.maybeCompleted, func() error { return r.CompleteMessage(ctx, m, nil) })
		}
		return err
	}, err
}

// schedule puts two messages far into the future, and takes one back.
func (l *ledger) schedule(ctx context.Context, c *azservicebus.Client) (worker, error) {
	s, err := c.NewSender("later", nil)
	return func(ctx context.Context, _ int) error {
		numbers, err := s.ScheduleMessages(ctx, []*azservicebus.Message{{}, {}}, time.Now().Add(time.Hour), nil)
		if err != nil {
			return err
		}
		l.note(func() { l.scheduled[numbers[0]] = true })
		return attempt(l, numbers[1], l.cancelled, l.unsure, func() error { return s.CancelScheduledMessages(ctx, numbers[1:], nil) })
	}, err
}

func (l *ledger) setState(ctx context.Context, c *azservicebus.Client) (worker, error) {
	r, err := c.AcceptSessionForQueue(ctx, "sessions", "s", nil)
	return func(ctx context.Context, n int) error {
		l.note(func() { l.attempted = n })
		if err = r.SetSessionState(ctx, []byte(strconv.Itoa(n)), nil); err == nil {
			l.note(func() { l.state = n })
		}
		return err
	}, err
}

// verify opens the store of the dead broker.
func (l *ledger) verify(t *testing.T) {
	t.Helper()
	bus, err := minibus.Open(killable(l.dir))
	require.NoError(t, err)
	there := map[string]bool{}
	for _, m := range bus.Peek("single") {
		require.False(t, there[m.MessageID], "%s is there twice", m.MessageID)
		require.Len(t, m.Body, 500)
		there[m.MessageID] = true
	}
	for id := range l.sent {
		if !l.completed[id] && !l.maybeCompleted[id] {
			require.True(t, there[id], "message %s was confirmed and is lost", id)
		}
	}
	for id := range l.completed {
		require.False(t, there[id], "message %s was completed and is back", id)
	}
	for id := range there {
		require.True(t, l.sent[id] || l.maybeSent[id], "nobody has sent %s", id)
	}
	parts := map[int]int{}
	for _, m := range bus.Peek("batch") {
		name, _, _ := strings.Cut(m.MessageID, "/")
		n, err := strconv.Atoi(name)
		require.NoError(t, err)
		parts[n]++
	}
	for n, size := range parts {
		require.Equal(t, 7, size, "batch %d is not whole", n)
		require.True(t, l.batches[n] || l.maybeBatches[n], "nobody has sent batch %d", n)
	}
	require.GreaterOrEqual(t, len(parts), len(l.batches))
	for n := range l.batches {
		require.Equal(t, 7, parts[n], "batch %d was confirmed", n)
	}
	waiting := map[int64]bool{}
	for _, m := range bus.Peek("later") {
		require.Equal(t, minibus.Scheduled, m.State)
		waiting[m.SequenceNumber] = true
	}
	for n := range l.scheduled {
		require.True(t, waiting[n], "schedule %d is lost", n)
	}
	for n := range l.cancelled {
		require.False(t, waiting[n], "schedule %d was cancelled and is back", n)
	}
	if shown := bus.Snapshot()["sessions"].Sessions; len(shown) > 0 || l.state != 0 {
		state, err := strconv.Atoi(string(shown[0].State))
		require.NoError(t, err)
		require.Contains(t, []int{l.state, l.attempted}, state, "the session's state")
		l.state = state // known now
	}
	require.NoError(t, bus.Close())
	l.remembered(t)
}

// remembered sends what was confirmed once more: within the window of duplicate detection nothing may come of it.
func (l *ledger) remembered(t *testing.T) {
	t.Helper()
	bus, connection := startOn(t, killable(l.dir))
	c := connect(t, connection)
	s := sender(t, c, "single")
	before := len(bus.Peek("single"))
	n := 0
	for id := range l.sent {
		require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id}, nil))
		if n++; n == 20 {
			break
		}
	}
	require.Len(t, bus.Peek("single"), before, "what was sent before is a duplicate")
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, bus.Close())
}

// startOn serves a broker until it is closed.
func startOn(t *testing.T, o minibus.Options) (*minibus.Server, string) {
	t.Helper()
	bus, err := minibus.Open(o)
	require.NoError(t, err)
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- bus.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, bus.Close())
		require.NoError(t, <-served)
	})
	return bus, bus.ConnectionString(l.Addr().String())
}
