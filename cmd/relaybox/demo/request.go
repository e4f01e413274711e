package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// once sends one request and writes it down.
func (c *client) once(ctx context.Context, w write, i *intent, ifMatch int64, tag, idempotencyKey string) (attempt, string) {
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	a := attempt{intent: i, idempotencyKey: idempotencyKey, ifMatch: ifMatch, sent: time.Now()}
	defer func() { c.journal.add(w.key(), a) }()
	req, err := c.request(ctx, w, i, ifMatch, tag, idempotencyKey)
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
		if reason, ok := wrongState(body); ok {
			a.outcome, a.answer = declined, reason
		}
	}
	return a, resp.Header.Get("Retry-After")
}

// wrongState reads the problem of a request that the entity's state does not allow.
func wrongState(body []byte) (reason string, ok bool) {
	var problem struct{ Type, Detail string }
	err := json.Unmarshal(body, &problem)
	return problem.Detail, err == nil && problem.Type == "urn:relaybox:problem:wrong-state"
}

// lostCall: a request whose connection was never made was not delivered; about any
// other nobody knows.
func lostCall(err error) outcome {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return refused
	}
	return unknown
}

func (c *client) request(ctx context.Context, w write, i *intent, ifMatch int64, tag, idempotencyKey string) (*http.Request, error) {
	var body io.Reader
	if i.verb != remove {
		body = bytes.NewReader(i.body)
	}
	address := c.address(w)
	if i.verb == act {
		address += "/" + i.action
	}
	req, err := http.NewRequestWithContext(ctx, i.verb.method(), address, body)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // a lost request is repeated by us or not at all
	switch i.verb {
	case put, keep, act:
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

func (c *client) address(w write) string { return c.base + w.kind.path + "/" + w.id }

// found is what a client was shown: the entity as a body for PUT, with its version and entity tag; version
// 0 means that there is none. hit says that a cache had it.
type found struct {
	body    []byte
	version int64
	tag     string
	hit     bool
}

// read gets the entity that is there, or was there at most age ago. ok is false when the answer could
// not be had.
func (c *client) read(ctx context.Context, w write, age time.Duration) (f found, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address(w), nil)
	if err != nil {
		return found{}, false
	}
	if age > 0 {
		req.Header.Set("Cache-Control", "max-age="+strconv.Itoa(int(age/time.Second)))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return found{}, false
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	f.hit = resp.Header.Get("X-Cache") == "HIT"
	switch {
	case err == nil && resp.StatusCode == http.StatusNotFound:
		return f, true
	case err != nil || resp.StatusCode != http.StatusOK:
		return found{}, false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return found{}, false
	}
	for _, ours := range []string{"id", "version", "updatedAt"} { // they are not the client's to set
		delete(members, ours)
	}
	f.tag = resp.Header.Get("ETag")
	f.body, f.version = encode(members), versionOf(f.tag)
	return f, true
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
