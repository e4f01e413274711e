package azfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// A Result is what a default-protocol function gives back. The zero value is a
// plain success. Logs are written by the host at information level, and only
// on success.
type Result struct {
	Outputs     map[string]any
	Logs        []string
	ReturnValue any
}

// Handle makes an http.Handler of a default-protocol function. It answers 200
// with the result's document, or 500 when the invocation cannot be decoded or
// fn fails. The host ignores the body of a 500 and, for Service Bus, abandons
// the message. Register it on a Mux, which logs the error.
func Handle(fn func(context.Context, *Invocation) (Result, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, err := invoke(r, fn)
		if err == nil {
			err = writeResult(w, http.StatusOK, result)
		}
		if err != nil {
			fail(w, err)
		}
	})
}

func invoke(r *http.Request, fn func(context.Context, *Invocation) (Result, error)) (Result, error) {
	inv, err := Decode(r)
	if err != nil {
		return Result{}, err
	}
	return fn(r.Context(), inv)
}

// failer is implemented by the Mux's writer: it takes the error to the log.
type failer interface{ fail(error) }

func fail(w http.ResponseWriter, err error) {
	if f, ok := w.(failer); ok {
		f.fail(err)
	}
	// The text helps whoever watches a local host; the real one drops it.
	_ = writeResult(w, http.StatusInternalServerError, Result{Logs: []string{err.Error()}})
}

func writeResult(w http.ResponseWriter, status int, res Result) error {
	if res.Outputs == nil {
		res.Outputs = map[string]any{}
	}
	if res.Logs == nil {
		res.Logs = []string{}
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(res); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}
