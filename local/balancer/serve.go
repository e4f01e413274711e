package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// quiet: what goes wrong is an answer and a count.
var quiet = log.New(io.Discard, "", 0)

// errNobody: no instance is up.
var errNobody = errors.New("no instance can work now")

// trip is one request on its way.
type trip struct {
	body []byte
	by   *instance // who has got it
}

type tripKey struct{}

// ServeHTTP passes a request on to the instance whose turn it is.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.opts.MaxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone, and nothing was sent
	}
	t := &trip{body: body}
	defer func() { // also when the answer breaks off, which is a panic
		if t.by != nil {
			p.release(t.by)
		}
	}()
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tripKey{}, t)))
}

// RoundTrip tries instance after instance until one has got something of the request.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	t := r.Context().Value(tripKey{}).(*trip)
	var tried []*instance
	fault := errNobody
	for {
		i := p.take(tried)
		if i == nil {
			return nil, fault
		}
		resp, sent, err := p.try(r, t.body, i)
		if err == nil || sent || r.Context().Err() != nil {
			t.by = i
			if err != nil && r.Context().Err() == nil {
				p.failed(i)
			}
			return resp, err
		}
		p.unsent(i, refused(err))
		tried = append(tried, i)
	}
}

// try sends the request to one instance. sent says whether that may have got a byte of it.
func (p *Proxy) try(r *http.Request, body []byte, i *instance) (resp *http.Response, sent bool, err error) {
	var began atomic.Bool // the transport's goroutine tells
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		// The transport takes another connection if it has written nothing to the first.
		GetConn:          func(string) { began.Store(false) },
		WroteHeaderField: func(string, []string) { began.Store(true) },
	})
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = i.url.Scheme, i.url.Host
	out.Body, out.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		out.Body, _ = out.GetBody()
	}
	// The transport repeats what has an Idempotency-Key, if it is spelled so, even where it may
	// have been carried out. That is the client's to decide.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if key, ok := out.Header[name]; ok {
			delete(out.Header, name)
			out.Header[strings.ToLower(name)] = key
		}
	}
	resp, err = p.transport.RoundTrip(out)
	return resp, began.Load(), err
}

// refused: there was no connection to be had.
func refused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// fail answers what no instance has answered.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch late, ok := errors.AsType[net.Error](err); {
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // nobody is there to hear it
	case errors.Is(err, errNobody):
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case ok && late.Timeout():
		http.Error(w, "the instance did not answer in time", http.StatusGatewayTimeout)
	default:
		http.Error(w, "the connection to the instance broke before its answer", http.StatusBadGateway)
	}
}
