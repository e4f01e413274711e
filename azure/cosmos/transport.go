package cosmos

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// pooledTransport keeps enough warm connections for 64 concurrent calls and notices
// dead ones early.
func pooledTransport(tls *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       tls,
		TLSHandshakeTimeout:   5 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   128,
		WriteBufferSize:       16 << 10, // a batch and the headers, with an access token, in one piece
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // the service never compresses
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 3 * time.Second},
	}
}

// exchange is the context of one attempt of a call, and follows it: the SDK replaces the
// transport's error when the context has ended.
type exchange struct {
	context.Context
	// sent tells that the request had a connection: from there on it may have arrived.
	sent atomic.Bool
	// of and verb are what is done, and to which container.
	of   *container
	verb string
}

type exchangeKey struct{}

// Value finds the exchange in every context that is made from it.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// exchangeOf returns the exchange that a request of the SDK belongs to.
func exchangeOf(req *http.Request) (*exchange, bool) {
	x, ok := req.Context().Value(exchangeKey{}).(*exchange)
	return x, ok
}

// plain is a policy that gives a request the context of its exchange again, without what the
// SDK has added: diagnostics, which are put together for every request and which nobody here
// reads. They were a third of what a request cost.
type plain struct{}

func (plain) Do(req *policy.Request) (*http.Response, error) {
	// The account is read on behalf of all calls, and goes on when one of them ends.
	if x, ok := exchangeOf(req.Raw()); ok && !readsAccount(req.Raw()) {
		req = req.WithContext(x)
	}
	return req.Next()
}

func readsAccount(req *http.Request) bool { return req.URL.Path == "" || req.URL.Path == "/" }

// transport is what the SDK sends through.
type transport struct {
	http http.RoundTripper
	// priming: only the account read goes out, everything else is answered here.
	priming  atomic.Bool
	observer Observer
}

func (t *transport) Do(req *http.Request) (*http.Response, error) {
	if readsAccount(req) {
		return t.readAccount(req)
	}
	if t.priming.Load() {
		return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}
	if x, ok := exchangeOf(req); ok {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) },
		}))
	}
	resp, err := t.observed(req)
	if err != nil {
		return nil, &exchangeError{err}
	}
	resp.Body = &body{resp.Body}
	return resp, nil
}

// readAccount bounds the account read: the SDK itself waits a minute for it, and not
// under the context of the call that started it.
func (t *transport) readAccount(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), connectTime)
	resp, err := t.http.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, &exchangeError{err}
	}
	resp.Body = &body{&cancelling{resp.Body, cancel}}
	return resp, nil
}

// exchangeError hides the cause from errors.Is and errors.As: the SDK would recognise
// it, sleep for seconds and repeat. It ends at retry.go.
type exchangeError struct{ err error }

func (e *exchangeError) Error() string { return e.err.Error() }

// body hides errors on the way up in the same manner.
type body struct{ io.ReadCloser }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &exchangeError{err}
	}
	return n, err
}

// cancelling ends a context when the body is closed.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}
