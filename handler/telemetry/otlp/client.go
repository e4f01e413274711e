package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// againPause is between the tries of one export.
var againPause = pace.Backoff{First: 250 * time.Millisecond, Max: 4 * time.Second}

// client sends the requests of one kind to one address. The SDK exports one batch of a kind
// at a time, so nothing but the end comes from another goroutine.
type client struct {
	kind  string
	cfg   Config
	http  *http.Client
	ended context.Context // the life of the client, and of no call
	end   context.CancelFunc

	// lost counts the exports in a row that failed; 0 while all is well.
	lost int
}

func newClient(kind string, cfg Config) *client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &client{kind: kind, cfg: cfg}
	c.ended, c.end = context.WithCancel(context.Background())
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig: cfg.TLS, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		},
		// A collector that moves is told of, not followed: the headers may hold a key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// close cuts what is under way.
func (c *client) close() {
	c.end()
	c.http.CloseIdleConnections()
}

// export sends a request until it is taken, can never be, or the time is up, and logs when
// that is another end than the last one's.
func (c *client) export(ctx context.Context, body []byte) {
	if c.ended.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(c.ended, cancel)()
	err := c.insist(ctx, body)
	switch {
	case err == nil && c.lost > 0:
		c.cfg.Logger.Info("telemetry reaches its collector again", "signal", "telemetry", "what", c.kind, "lost", c.lost)
		c.lost = 0
	case err != nil && c.ended.Err() == nil:
		if c.lost++; c.lost == 1 {
			c.cfg.Logger.Warn("telemetry does not reach its collector; what is not taken is dropped", "signal", "telemetry", "what", c.kind, "error", err)
		}
	}
}

func (c *client) insist(ctx context.Context, body []byte) error {
	if c.cfg.Gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(body) // into memory
		_ = w.Close()
		body = packed.Bytes()
	}
	for try := 1; ; try++ {
		again, err := c.post(ctx, body)
		if err == nil {
			return nil
		}
		wait := againPause.Wait(try, again.after)
		until, _ := ctx.Deadline()
		if !again.worth || time.Until(until) < wait || pace.Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// another says whether a request is worth another try, and when.
type another struct {
	worth bool
	after time.Duration
}

func (c *client) post(ctx context.Context, body []byte) (another, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return another{}, err
	}
	r.Header = c.cfg.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if c.cfg.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may hold a key
		}
		return another{worth: true}, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is kept
	switch {
	case resp.StatusCode < 300:
		return another{}, nil
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 502 && resp.StatusCode <= 504:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return another{true, time.Duration(seconds) * time.Second}, fmt.Errorf("the collector answers %s", resp.Status)
	}
	return another{}, fmt.Errorf("the collector answers %s", resp.Status)
}
