package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/internal/history"
)

const (
	// oneRequest is how long a client waits for one answer.
	oneRequest = 6 * time.Second
	// patience is how often a client repeats a request under its Idempotency-Key.
	patience = 6
	// hotKeys are written by everybody at the same time, coldKeys now and then.
	hotKeys, coldKeys = 5, 400
	// hotCalls is after how many calls another key takes a hot one's place: the check of an
	// entity's history takes time that grows with its calls.
	hotCalls = 80
)

// load is what the clients know of each other.
type load struct {
	instances []*instance
	http      history.Client
	traces    atomic.Uint64
	seed      uint64

	mu   sync.Mutex // guards what follows
	hot  [hotKeys]struct{ generation, calls int }
	seen map[string]sight // newest version that any client was shown, by key
	used map[string][]request
}

// sight is what a client was shown of an entity.
type sight struct {
	version int64
	etag    string
	body    string // as a client would send it
}

// request is what a client wants; it may send it several times.
type request struct {
	method, body, ifMatch, ifNoneMatch, key string
	current                                 bool
}

func newLoad(c *cluster, record *history.Recorder, seed uint64, clients int) *load {
	return &load{
		instances: c.instances, seed: seed, seen: map[string]sight{}, used: map[string][]request{},
		http: history.Client{Record: record, HTTP: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: clients, IdleConnTimeout: time.Minute}, Timeout: oneRequest,
		}},
	}
}

// client sends requests until ctx ends; the one that is under way then is finished.
type client struct {
	*load
	name   string
	random *rand.Rand
	intent int
}

func (l *load) client(n int) *client {
	return &client{load: l, name: fmt.Sprint("c", n), random: rand.New(rand.NewPCG(l.seed, 1000+uint64(n)))}
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		key := c.pick()
		c.do(context.WithoutCancel(ctx), key, c.want(key))
		sleep(ctx, time.Duration(c.random.IntN(60))*time.Millisecond)
	}
}

// pick chooses an entity: mostly one that others are writing too.
func (c *client) pick() string {
	if c.random.IntN(10) < 4 {
		return fmt.Sprint("cold-", c.random.IntN(coldKeys))
	}
	slot := c.random.IntN(hotKeys)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &c.hot[slot]
	if h.calls++; h.calls > hotCalls {
		h.calls, h.generation = 1, h.generation+1
	}
	return fmt.Sprintf("hot-%d-%d", slot, h.generation)
}

// want makes a request up.
func (c *client) want(key string) request {
	c.intent++
	name := fmt.Sprintf("%s-%d", c.name, c.intent)
	// A second event of the same write follows from another address.
	full := fmt.Sprintf(`{"displayName":%q,"email":"%d@example.com"}`, name, c.random.IntN(3))
	c.mu.Lock()
	seen := c.seen[key]
	c.mu.Unlock()
	var r request
	switch n := c.random.IntN(100); {
	case n < 45:
		r = request{method: http.MethodPut, body: full}
	case n < 50 && seen.body != "":
		r = request{method: http.MethodPut, body: seen.body} // perhaps nothing changes
	case n < 70:
		r = request{method: http.MethodPatch, body: fmt.Sprintf(`{"displayName":%q}`, name)}
	case n < 80:
		r = request{method: http.MethodDelete}
	case n < 94:
		return request{method: http.MethodGet, current: true}
	default:
		return request{method: http.MethodGet}
	}
	switch n := c.random.IntN(100); {
	case n < 25 && seen.etag != "":
		r.ifMatch = seen.etag
	case n < 35 && r.method == http.MethodPut:
		r.ifNoneMatch = "*"
	}
	if c.random.IntN(100) < 45 {
		r.key = strconv.Quote("k-" + name)
	}
	return c.reuse(key, r)
}

// reuse now and then takes a request or a key that was used for the entity before.
func (c *client) reuse(key string, r request) request {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.used[key]
	switch n := c.random.IntN(100); {
	case len(used) == 0:
	case n < 4:
		return used[c.random.IntN(len(used))]
	case n < 6:
		r.key = used[c.random.IntN(len(used))].key
	}
	if r.key != "" {
		c.used[key] = append(used, r)
	}
	return r
}

// do sends a request, some of them twice at the same time, and again while its outcome is
// open and its key makes that harmless.
func (c *client) do(ctx context.Context, key string, r request) {
	if r.key != "" && c.random.IntN(100) < 30 {
		twin, other := c.somewhere(), c.name+"'"
		var done sync.WaitGroup
		done.Go(func() { c.once(ctx, other, key, r, twin) })
		defer done.Wait()
	}
	for try := range patience {
		sent := c.once(ctx, c.name, key, r, c.somewhere())
		if sent.Outcome == history.Answered || r.key == "" {
			return
		}
		sleep(ctx, time.Duration(50+c.random.IntN(200<<try))*time.Millisecond)
	}
}

func (c *client) somewhere() *instance { return c.instances[c.random.IntN(len(c.instances))] }

// once sends a request and records what came of it.
func (l *load) once(ctx context.Context, name, key string, r request, to *instance) history.Call {
	url := to.url()
	if url == "" {
		url = "http://127.0.0.1:1" // nobody listens: that is an answer too
	}
	c, _, _ := l.http.Do(ctx, "profile:"+key, url+"/api/profiles/"+key, history.Call{
		Client: name, Target: to.name, Method: r.method, Body: r.body, IfMatch: r.ifMatch, IfNoneMatch: r.ifNoneMatch,
		IdempotencyKey: r.key, Current: r.current, Trace: fmt.Sprintf("%016x%016x", l.seed|1, l.traces.Add(1)),
	})
	if status := c.Answer.Status; c.Outcome == history.Answered && (status == http.StatusOK || status == http.StatusCreated) {
		l.learn(key, c.Answer)
	}
	return c
}

// learn remembers the newest version that somebody was shown.
func (l *load) learn(key string, a history.Answer) {
	version, _ := history.Version(a.ETag)
	var members map[string]any
	if json.Unmarshal([]byte(a.Body), &members) != nil {
		return // the history will say so
	}
	for _, ours := range []string{"id", "version", "updatedAt"} {
		delete(members, ours)
	}
	body, err := json.Marshal(members)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[key].version < version {
		l.seen[key] = sight{version, a.ETag, string(body)}
	}
}
