package minihost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/route"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// maxRedirects is .NET's limit.
const maxRedirects = 50

// call is the part of an encoded invocation that the host makes up.
func (h *run) call(f *app.Definition) azfunc.Call {
	return azfunc.Call{Function: f.Name, Binding: f.Binding, Now: time.Now(), RandGUID: uuid.NewString()}
}

// invoke runs one default-protocol invocation to its end. Every error means
// failed; it has been logged.
func (h *run) invoke(ctx context.Context, f *app.Definition, body []byte) (azfunc.Answer, error) {
	id := uuid.NewString()
	a, err := h.exchange(ctx, f, id, body)
	var ans azfunc.Answer
	if err == nil {
		ans, err = azfunc.DecodeAnswer(a.Status, contentType(a.Fields), a.Body)
	}
	if errors.Is(err, azfunc.ErrNoAnswer) && h.opts.HangOnEmptyAnswer {
		err = h.hang(ctx, f)
	}
	if err != nil {
		h.failed(ctx, f, id, err, a.Body)
		return azfunc.Answer{}, err
	}
	for _, line := range ans.Logs {
		h.log.InfoContext(ctx, line, "category", "Function."+f.Name+".User", "invocation", id)
	}
	h.log.DebugContext(ctx, "invocation succeeded", "function", f.Name, "invocation", id)
	return ans, nil
}

// exchange delivers the invocation, and follows redirects where the real
// host's client does.
func (h *run) exchange(ctx context.Context, f *app.Definition, id string, body []byte) (wire.Answer, error) {
	method, path := http.MethodPost, "/"+f.Name
	for range maxRedirects {
		head := front.DefaultHead(method, h.worker.Addr(), path, id, len(body))
		a, err := h.send(ctx, method, head, body)
		if err != nil || h.config.Forward || a.Status < 300 || a.Status > 399 {
			return a, err
		}
		location, _ := a.Fields.Get("Location")
		next, ok := strings.CutPrefix(location, "http://"+h.worker.Addr())
		if location != "" && !ok && strings.HasPrefix(location, "/") {
			next, ok = location, true
		}
		if !ok || !strings.HasPrefix(next, "/") {
			return a, nil // judged as it is
		}
		path = next
		if a.Status != http.StatusTemporaryRedirect && a.Status != http.StatusPermanentRedirect {
			method, body = http.MethodGet, nil
		}
	}
	return wire.Answer{}, fmt.Errorf("%w: more than %d redirects", worker.ErrTransport, maxRedirects)
}

// send waits for the handler and delivers; a time-out ends the handler.
func (h *run) send(ctx context.Context, method string, head, body []byte) (wire.Answer, error) {
	if err := h.worker.Wait(ctx); err != nil {
		if errors.Is(err, ErrHandlerNotReady) {
			h.giveUp(err)
		}
		return wire.Answer{}, err
	}
	pid := h.worker.PID()
	a, err := h.worker.Send(method, head, body, h.config.FunctionTimeout)
	if errors.Is(err, ErrTimeout) {
		h.log.ErrorContext(ctx, "functionTimeout: the handler is killed with all calls in it and started again; keep the handler's own deadline below functionTimeout",
			"functionTimeout", h.config.FunctionTimeout, "pid", pid)
		h.worker.Restart(pid)
	}
	return a, err
}

// failed logs a failed invocation with what helps to understand it.
func (h *run) failed(ctx context.Context, f *app.Definition, id string, err error, body []byte) {
	level := slog.LevelError
	if ctx.Err() != nil {
		level = slog.LevelDebug // the host is stopping
	}
	attrs := []any{"function", f.Name, "invocation", id, "error", err}
	if len(body) > 0 {
		attrs = append(attrs, "answer", string(body[:min(len(body), 500)]))
	}
	h.log.Log(ctx, level, "invocation failed", attrs...)
}

// hang does what the real host does with an answer without a body.
func (h *run) hang(ctx context.Context, f *app.Definition) error {
	h.log.ErrorContext(ctx, "answer without a body: waiting for functionTimeout, as the real host does", "function", f.Name)
	limit := h.config.FunctionTimeout
	if limit == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	pid := h.worker.PID()
	select {
	case <-time.After(limit):
		h.worker.Restart(pid)
		return fmt.Errorf("%w after %s", ErrTimeout, limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func contentType(fs wire.Fields) http.Header {
	v, _ := fs.Get("Content-Type")
	return http.Header{"Content-Type": {v}}
}

// serveFunction answers a client's request to an HTTP function.
func (h *run) serveFunction(ctx context.Context, req *front.Request, f *app.Definition, params []route.Param) front.Response {
	body, err := req.Body()
	if err != nil {
		return front.Response{Status: http.StatusBadRequest}
	}
	if f.PureHTTP && h.config.Forward {
		return h.forward(ctx, req, f, body)
	}
	a, err := h.invoke(ctx, f, azfunc.EncodeHTTP(h.call(f), front.HTTPCall(req, params, body)))
	if err != nil {
		return front.Response{Status: http.StatusInternalServerError}
	}
	res, err := front.HTTPResult(a, f.Output)
	if err != nil {
		h.log.ErrorContext(ctx, "invocation failed", "function", f.Name, "error", err)
		return front.Response{Status: http.StatusInternalServerError}
	}
	return res
}

// forward passes a request on and the answer back. The invocation succeeds
// with any answer; only a broken transport makes it a 500.
func (h *run) forward(ctx context.Context, req *front.Request, f *app.Definition, body []byte) front.Response {
	id := uuid.NewString()
	refused := req.Chunked
	var head []byte
	if !refused {
		var ok bool
		head, ok = front.ForwardHead(make([]byte, 0, 1024), req, id, len(body))
		refused = !ok
	}
	if refused {
		h.log.WarnContext(ctx, "request refused with 500, as by the real host: a chunked body, a header value outside ASCII or an invalid Content-Type never reaches a forwarded function",
			"function", f.Name, "method", req.Method, "path", req.Path)
		return front.Response{Status: http.StatusInternalServerError}
	}
	a, err := h.send(ctx, req.Method, head, body)
	if err != nil {
		h.failed(ctx, f, id, err, nil)
		return front.Response{Status: http.StatusInternalServerError}
	}
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.log.DebugContext(ctx, "forwarded", "function", f.Name, "invocation", id, "status", a.Status)
	}
	res, err := front.Forwarded(req.Method, a)
	if err != nil {
		h.failed(ctx, f, id, err, nil)
		return front.Response{Status: http.StatusInternalServerError}
	}
	return res
}
