package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/internal/history"
)

// profileBytes is the size of every profile that is written.
const profileBytes = 500

// oneRequest is how long a client waits for one answer.
const oneRequest = 30 * time.Second

// body is a profile of profileBytes which no other write has.
func body(n int) string {
	const begin, end = `{"displayName":"Ada %09d","email":"ada@example.com","locale":"en-GB","bio":"`, `"}`
	text := fmt.Sprintf(begin, n)
	return text + strings.Repeat("b", profileBytes-len(text)-len(end)) + end
}

// keys draws the key of each of n writes from seed; each of the first is drawn once when
// there is a write for each key only.
func keys(seed uint64, n, of int) []string {
	random := rand.New(rand.NewPCG(seed, uint64(of)))
	list := make([]string, n)
	for i := range list {
		k := i
		if n > of {
			k = random.IntN(of)
		}
		list[i] = fmt.Sprintf("k-%06d", k)
	}
	return list
}

// load sends writes to the hosts in turn, and remembers what it was told.
type load struct {
	hosts []string // where they listen
	http  *http.Client
	sent  atomic.Int64

	mu     sync.Mutex // guards what follows
	writes map[string]acknowledged
	fault  error // the first refusal
	answer []time.Duration
	// due are when the writes that made each event were meant to be sent.
	due map[message]time.Time
}

func newLoad(hosts []string, clients int) *load {
	return &load{
		hosts: hosts, writes: map[string]acknowledged{}, due: map[message]time.Time{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, IdleConnTimeout: time.Minute}, Timeout: oneRequest},
	}
}

// closed has clients that send one write after another until all keys have been written.
func (l *load) closed(ctx context.Context, clients int, keys []string) {
	closedLoop(ctx, clients, len(keys), func(n int) { l.write(ctx, keys[n], n, time.Now()) })
}

// closedLoop has workers that do one of n after another.
func closedLoop(ctx context.Context, workers, n int, do func(n int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// open sends a write each interval, whatever became of those before it.
func (l *load) open(ctx context.Context, interval time.Duration, keys []string) {
	openLoop(ctx, interval, len(keys), func(n int, due time.Time) { l.write(ctx, keys[n], n, due) })
}

// openLoop does one of n each interval. Each is told when it was meant to begin: a delay of
// the one who sends it belongs to what the client sees.
func openLoop(ctx context.Context, interval time.Duration, n int, do func(n int, due time.Time)) {
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * interval)
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() { do(i, due) })
	}
	all.Wait()
}

// write sends one, and measures it from when it was due.
func (l *load) write(ctx context.Context, key string, n int, due time.Time) {
	version, err := l.put(ctx, l.hosts[n%len(l.hosts)], key, body(n))
	took := time.Since(due)
	l.sent.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.writes[key]
	if err != nil {
		w.refused++
		l.writes[key] = w
		if l.fault == nil {
			l.fault = fmt.Errorf("write %d, to %s: %w", n, key, err)
		}
		return
	}
	w.writes++
	l.writes[key] = w
	l.answer = append(l.answer, took)
	l.due[message{key, version}] = due
}

// put returns the version that was made; an event's number is the same here.
func (l *load) put(ctx context.Context, host, key, body string) (version int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, host+"/api/profiles/"+key, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode > http.StatusCreated {
		return 0, fmt.Errorf("%d %.200s", resp.StatusCode, text)
	}
	if version, _ = history.Version(resp.Header.Get("ETag")); version == 0 {
		return 0, fmt.Errorf("its answer has no version: ETag %s", resp.Header.Get("ETag"))
	}
	return version, nil
}

// refusals are how many writes were not acknowledged.
func (l *load) refusals() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writes {
		n += w.refused
	}
	return n
}

// acknowledgements are how many were.
func (l *load) acknowledgements() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writes {
		n += w.writes
	}
	return n
}
