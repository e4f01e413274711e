package openapi_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	openapi "github.com/relaybox/relaybox/functions/OpenAPI"
	"github.com/relaybox/relaybox/test/contract"
)

func ask(t *testing.T, h http.Handler, method string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/api/openapi.json", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	h.ServeHTTP(w, r)
	require.NoError(t, contract.Answer(method, r.URL.Path, w.Code, w.Header(), w.Body.Bytes()))
	return w
}

func TestTheDescriptionIsMadeOnceByTheFirstRequest(t *testing.T) {
	t.Parallel()
	made := 0
	h := openapi.New(func() ([]byte, error) { made++; return []byte(`{"openapi":"3.1.0"}`), nil }, nil)
	require.Zero(t, made)
	w := ask(t, h, "GET")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "19", w.Header().Get("Content-Length"))
	require.JSONEq(t, `{"openapi":"3.1.0"}`, w.Body.String())
	tag := w.Header().Get("ETag")
	require.Equal(t, 304, ask(t, h, "GET", "If-None-Match", tag).Code)
	require.Equal(t, 304, ask(t, h, "HEAD", "If-None-Match", `"x", W/`+tag).Code)
	require.Equal(t, 200, ask(t, h, "GET", "If-None-Match", `"x"`).Code)
	require.Equal(t, 200, ask(t, h, "HEAD").Code)
	require.Equal(t, 200, ask(t, h, "GET", "Range", "bytes=0-3", "If-Match", `"x"`).Code, "whole, or not at all")
	require.Equal(t, 1, made)
}

func TestADescriptionThatCannotBeMade(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	for _, to := range []*slog.Logger{nil, slog.New(slog.NewTextHandler(&log, nil))} {
		w := ask(t, openapi.New(func() ([]byte, error) { return nil, errors.New("secret") }, to), "GET")
		require.Equal(t, 500, w.Code)
		require.NotContains(t, w.Body.String(), "secret")
	}
	require.Contains(t, log.String(), "secret")
}
