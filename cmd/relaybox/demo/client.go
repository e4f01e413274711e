package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// client sends writes as a careful client of the API would: it repeats what got no
// answer, waits when it is asked to, reads again on 412, and writes everything that it
// was told into the journal.
type client struct {
	http    *http.Client
	base    string // http://host:port/api/
	journal *journal
	rng     *rand.Rand // owner: this client
}

const (
	// patience is how long a client tries to get one write done.
	patience = 30 * time.Second
	// oneRequest is how long it waits for one answer.
	oneRequest = 10 * time.Second
)

var errPatience = errors.New("the client's patience ended")

// do carries out one write: until it is acknowledged, declined, refused for good, or
// patience ends. It says which.
func (c *client) do(ctx context.Context, w write) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	want, idempotencyKey := &w.want, w.idempotencyKey
	for try := 0; ctx.Err() == nil; try++ {
		i, ifMatch, tag := want, int64(-1), ""
		if w.conditional {
			current, ok := c.read(ctx, w, 0)
			if !ok {
				c.wait(ctx, try, "")
				continue
			}
			if ifMatch, tag = current.version, current.tag; current.version == 0 && want.verb != put {
				want, ifMatch = &w.instead, 0
				i = want
			}
			if i.verb == keep {
				i = &intent{mark: want.mark, verb: keep, body: current.body}
			}
		}
		a, retryAfter := c.send(ctx, w, i, ifMatch, tag, idempotencyKey, try)
		switch {
		case a.outcome == acknowledged, a.outcome == declined:
			return a.outcome
		case a.status == http.StatusNotFound && want.verb != put:
			want = &w.instead
			if idempotencyKey != "" {
				idempotencyKey += "-instead" // another request needs another key
			}
		case a.status == http.StatusPreconditionFailed:
			// read again at once
		case a.outcome == refused && a.status != 0 && a.status != http.StatusConflict && a.status != http.StatusTooManyRequests:
			return refused
		default:
			c.wait(ctx, try, retryAfter)
		}
	}
	return unknown
}

// send sends the request, the first time of a twin twice, and returns the answer that
// helps most.
func (c *client) send(ctx context.Context, w write, i *intent, ifMatch int64, tag, key string, try int) (attempt, string) {
	if !w.twin || try > 0 {
		return c.once(ctx, w, i, ifMatch, tag, key)
	}
	var other attempt
	var wait sync.WaitGroup
	wait.Go(func() { other, _ = c.once(ctx, w, i, ifMatch, tag, key) })
	mine, retryAfter := c.once(ctx, w, i, ifMatch, tag, key)
	wait.Wait()
	if other.outcome == acknowledged || other.outcome == declined && mine.outcome != acknowledged {
		return other, ""
	}
	return mine, retryAfter
}

// wait holds the client back before the next try: for as long as the answer asks, else
// with a growing random pause.
func (c *client) wait(ctx context.Context, try int, retryAfter string) {
	pause := time.Duration(c.rng.Int64N(int64(20*time.Millisecond) << min(try, 5)))
	if seconds, err := strconv.Atoi(strings.TrimSpace(retryAfter)); err == nil && seconds > 0 {
		pause += time.Duration(seconds) * time.Second
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// newHTTP returns the clients' HTTP client: connections for all of them, and no
// redirects.
func newHTTP(clients int) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConns: 2 * clients, MaxIdleConnsPerHost: 2 * clients, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}

var errRedirect = errors.New("the API redirects nobody")
