package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
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
	base    string // http://host:port/api/profiles/
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

// do carries out one write: until it is acknowledged, refused for good, or patience ends.
// It says which.
func (c *client) do(ctx context.Context, w write) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	want, idempotencyKey := &w.want, w.idempotencyKey
	for try := 0; ctx.Err() == nil; try++ {
		i, ifMatch, tag := want, int64(-1), ""
		if w.conditional {
			current, version, read, ok := c.read(ctx, w.key)
			if !ok {
				c.wait(ctx, try, "")
				continue
			}
			if ifMatch, tag = version, read; version == 0 && want.verb != put {
				want, ifMatch = &w.instead, 0
				i = want
			}
			if i.verb == keep {
				i = &intent{mark: want.mark, verb: keep, body: current}
			}
		}
		a, retryAfter := c.send(ctx, w, i, ifMatch, tag, idempotencyKey, try)
		switch {
		case a.outcome == acknowledged:
			return acknowledged
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
		return c.once(ctx, w.key, i, ifMatch, tag, key)
	}
	var other attempt
	var wait sync.WaitGroup
	wait.Go(func() { other, _ = c.once(ctx, w.key, i, ifMatch, tag, key) })
	mine, retryAfter := c.once(ctx, w.key, i, ifMatch, tag, key)
	wait.Wait()
	if other.outcome == acknowledged {
		return other, ""
	}
	return mine, retryAfter
}

// once sends one request and writes it down.
func (c *client) once(ctx context.Context, key string, i *intent, ifMatch int64, tag, idempotencyKey string) (attempt, string) {
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	a := attempt{intent: i, idempotencyKey: idempotencyKey, ifMatch: ifMatch, sent: time.Now()}
	defer func() { c.journal.add(key, a) }()
	req, err := c.request(ctx, key, i, ifMatch, tag, idempotencyKey)
	if err != nil {
		a.outcome, a.answer = refused, err.Error()
		return a, ""
	}
	resp, err := c.http.Do(req)
	a.answered = time.Now()
	if err != nil {
		a.outcome, a.answer = lostCall(err), err.Error()
		return a, ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	a.answered = time.Now()
	a.status, a.answer = resp.StatusCode, canonical(body)
	a.version = versionOf(resp.Header.Get("ETag"))
	switch {
	case err != nil || resp.StatusCode >= 500:
		a.outcome, a.version = unknown, 0
	case resp.StatusCode < 300:
		a.outcome = acknowledged
	default:
		a.outcome = refused
	}
	return a, resp.Header.Get("Retry-After")
}

// canonical is the same text for the same JSON: an answer that comes out of a receipt has
// been through a store, which may escape characters otherwise.
func canonical(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	return string(encode(v))
}

// lostCall: a request whose connection was never made was not delivered; about any
// other nobody knows.
func lostCall(err error) outcome {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return refused
	}
	return unknown
}

func (c *client) request(ctx context.Context, key string, i *intent, ifMatch int64, tag, idempotencyKey string) (*http.Request, error) {
	var body io.Reader
	if i.verb != remove {
		body = bytes.NewReader(i.body)
	}
	req, err := http.NewRequestWithContext(ctx, i.verb.method(), c.base+key, body)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // a lost request is repeated by us or not at all
	switch i.verb {
	case put, keep:
		req.Header.Set("Content-Type", "application/json")
	case patch:
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	switch {
	case ifMatch > 0:
		req.Header.Set("If-Match", tag)
	case ifMatch == 0:
		req.Header.Set("If-None-Match", "*")
	}
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", strconv.Quote(idempotencyKey))
	}
	return req, nil
}

// read gets the profile that is there, as a body for PUT, with its version and entity tag;
// version 0 means that there is none. ok is false when the answer could not be had.
func (c *client) read(ctx context.Context, key string) (body []byte, version int64, tag string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+key, nil)
	if err != nil {
		return nil, 0, "", false
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, "", false
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err == nil && resp.StatusCode == http.StatusNotFound:
		return nil, 0, "", true
	case err != nil || resp.StatusCode != http.StatusOK:
		return nil, 0, "", false
	}
	var p person
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, 0, "", false
	}
	tag = resp.Header.Get("ETag")
	return encode(p), versionOf(tag), tag, true
}

// versionOf reads the version in a strong entity tag, 0 when it is none of ours.
func versionOf(tag string) int64 {
	text, err := strconv.Unquote(tag)
	if err != nil {
		return 0
	}
	text, _, _ = strings.Cut(text, "-")
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return v
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
