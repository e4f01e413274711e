package rest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// A defect that an operation of a bulk runs into is its answer, and not the end of the process: each has a goroutine.
func TestPanicInABulk(t *testing.T) {
	t.Parallel()
	s := &Service{Log: slog.New(slog.DiscardHandler)}
	r := &call{Request: wire.Request{Request: httptest.NewRequest(http.MethodPost, "/dbs/db/colls/c/docs", nil)}}
	answers := make(chan *wire.Answer)
	go func() { answers <- s.one(r, nil, &operation{key: `["k"]`}) }() // without a container
	require.Equal(t, http.StatusInternalServerError, (<-answers).Status)
}
