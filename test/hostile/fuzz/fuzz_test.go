// Package fuzz_test looks for requests and invocations that the tables lack. It is a package
// of its own because the OpenAPI validator takes minutes to build for fuzzing.
package fuzz_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/hostile"
)

// FuzzRequest sends bytes that begin as the table's.
func FuzzRequest(f *testing.F) {
	for _, c := range hostile.Requests() {
		if raw := c.Bytes("localhost", `"1-none"`); len(raw) < 4<<10 {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 64<<10 {
			return
		}
		a := hostile.NewApp(t, nil)
		a.Seed()
		before := a.Facts()
		method, _, _ := bytes.Cut(raw, []byte(" "))
		w := a.Send(raw)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s", w.Body)
		require.NoError(t, a.Honest(before, string(method), w))
	})
}

// FuzzInvocation gives ConsumeEvent messages that begin as the table's.
func FuzzInvocation(f *testing.F) {
	for _, c := range hostile.Invocations() {
		if len(c.Body) < 4<<10 {
			f.Add(c.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 64<<10 {
			return
		}
		a := hostile.NewApp(t, nil)
		a.Seed()
		before := a.Facts()
		if w := a.Invoke(body); w.Code != http.StatusOK {
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.Equal(t, before, a.Facts(), "%s", w.Body)
		}
	})
}
