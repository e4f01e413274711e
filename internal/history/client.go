package history

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// Client sends calls and records what came of them. It believes nothing, and repeats nothing.
type Client struct {
	HTTP *http.Client
	// Record gets every call about an entity; nil keeps none.
	Record *Recorder
	// Now stamps the calls; default: time.Now.
	Now func() time.Time
}

// Do sends a call to a URL and records it under key; "" is no entity. It returns the call with
// its times and its outcome, and the header of the answer, or why there is none.
func (c Client) Do(ctx context.Context, key, url string, call Call) (Call, http.Header, error) {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	call.Start = now()
	status, header, body, err := c.send(ctx, url, call)
	call.End = now()
	call.Outcome, call.Answer = Classify(status, header, body, err)
	if c.Record != nil && key != "" {
		c.Record.Add(key, call)
	}
	return call, header, err
}

// errLost is what came of a request whose connection was lost. net/http would send some of them
// again, by itself, and tell only what came of that.
var errLost = errors.New("the connection was lost before an answer came")

func (c Client) send(ctx context.Context, url string, call Call) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var tries atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) {
		if tries.Add(1) > 1 {
			cancel() // a lost request is repeated by the caller or not at all
		}
	}})
	req, err := http.NewRequestWithContext(ctx, call.Method, url, strings.NewReader(call.Body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.GetBody = nil
	call.setHeader(req.Header)
	resp, err := c.HTTP.Do(req)
	if tries.Load() > 1 {
		err = errLost
	}
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // what it carried was read
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, text, err
}

func (c Call) setHeader(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("If-Match", c.IfMatch)
	set("If-None-Match", c.IfNoneMatch)
	set("Idempotency-Key", c.IdempotencyKey)
	if c.Trace != "" {
		h.Set("Traceparent", "00-"+c.Trace+"-00f067aa0ba902b7-01")
	}
	if c.Current {
		h.Set("Cache-Control", "no-cache")
	}
	switch {
	case c.Body == "":
	case c.Method == http.MethodPatch:
		h.Set("Content-Type", "application/merge-patch+json")
	default:
		h.Set("Content-Type", "application/json")
	}
}
