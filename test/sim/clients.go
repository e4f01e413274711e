package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/internal/history"
)

// client is somebody who calls the app, notes what is said and believes nothing.
type client struct {
	w      *world
	name   string
	kind   *kind
	random *rand.Rand
	http   history.Client
	tags   map[string]string
	sent   int
}

// request is what a client asks for; key is the entity's partition.
type request struct {
	key, method, body, ifMatch, ifNoneMatch, idempotency string
	current                                              bool
}

func (w *world) client(n int) *client {
	c := &client{w: w, name: fmt.Sprintf("client-%d", n), kind: &profiles, random: rand.New(rand.NewPCG(w.Seed, 100+uint64(n))), tags: map[string]string{}}
	node := w.net.node(c.name)
	c.http = history.Client{Record: &w.calls, Now: w.stamp, HTTP: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // each request at an instance of its own
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			name, _, _ := net.SplitHostPort(addr)
			return node.dialer(name)(ctx)
		},
	}}}
	return c
}

// run sends a number of requests about entities of the client's kind.
func (c *client) run(ctx context.Context, ids []string, calls int) {
	for range calls {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(c.random.Int64N(int64(800 * time.Millisecond)))):
		}
		r := c.invent(ids)
		if c.random.IntN(8) == 0 && r.idempotency != "" {
			c.twins(ctx, r)
			continue
		}
		outcome := c.send(ctx, r, c.targetOf(r))
		// Whoever got no answer repeats, if it may.
		for range 3 {
			if outcome != history.Open || r.idempotency == "" || c.random.IntN(4) == 0 {
				break
			}
			time.Sleep(time.Duration(c.random.Int64N(int64(2 * time.Second))))
			outcome = c.send(ctx, r, c.targetOf(r))
		}
	}
}

// twins sends one request several times at once.
func (c *client) twins(ctx context.Context, r request) {
	done := make(chan struct{})
	n := 2 + c.random.IntN(3)
	for range n {
		target, trace := c.targetOf(r), c.trace()
		go func() {
			c.call(ctx, r, target, trace)
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}

func (c *client) anywhere() *instance { return c.w.instances[c.random.IntN(len(c.w.instances))] }

func (c *client) trace() string {
	c.sent++
	return fmt.Sprintf("%016x%016x", c.random.Uint64()|1, c.sent)
}

// invent draws a request.
func (c *client) invent(ids []string) request {
	r := request{key: c.kind.key(ids[c.random.IntN(len(ids))]), method: http.MethodPut}
	name := fmt.Sprintf("%s-%d", c.name[7:], c.sent)
	switch n := c.random.IntN(20); {
	case n < 2:
		return request{key: r.key, method: http.MethodGet, current: true}
	case n < 4:
		return request{key: r.key, method: http.MethodGet}
	case n < 7:
		r.method = http.MethodPatch
		r.body = c.kind.patch(name)
	case n < 9:
		r.method = http.MethodDelete
	case n < 11: // as somebody may have written it before: perhaps a no-op
		r.body = c.kind.same(c.random.IntN(2))
	default:
		r.body = c.kind.put(name, c.random.IntN(3))
	}
	r = c.enrich(r)
	switch c.random.IntN(6) {
	case 0:
		r.ifMatch = c.tags[r.key]
	case 1:
		if r.method == http.MethodPut {
			r.ifNoneMatch = "*"
		}
	}
	if c.random.IntN(3) > 0 {
		r.idempotency = fmt.Sprintf("%s-%d", c.name, c.sent)
	}
	return r
}

func (c *client) send(ctx context.Context, r request, to *instance) history.Outcome {
	call := c.call(ctx, r, to, c.trace())
	if call.Answer.ETag != "" {
		c.tags[r.key] = call.Answer.ETag
	}
	return call.Outcome
}

// patience is how long a client waits.
const patience = 12 * time.Second

func (c *client) call(ctx context.Context, r request, to *instance, trace string) history.Call {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	call, _, _ := c.http.Do(ctx, r.key, "http://"+to.name+":80/api/"+path(r.key), history.Call{
		Client: c.name, Target: to.name, Method: r.method, Body: r.body, IfMatch: r.ifMatch, IfNoneMatch: r.ifNoneMatch,
		IdempotencyKey: r.idempotency, Current: r.current, Trace: trace, Keeps: to.keeps(kindOf(r.key)),
	})
	c.w.note(c.name, "%s %v", r.key, call)
	return call
}
