package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startHandler starts the handler alone, against services that are not there, and
// returns how long it took to answer GET /.
func startHandler(tb testing.TB) time.Duration {
	tb.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	addr := free.Addr().(*net.TCPAddr)
	require.NoError(tb, free.Close())
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, filepath.Join(assembled, "handler"))
	cmd.Env = []string{
		fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", addr.Port),
		"COSMOS_CONNECTION=AccountEndpoint=http://127.0.0.1:1/;AccountKey=AAAA",
		"COSMOS_DATABASE=d", "COSMOS_OUTBOX_CONTAINER=o", "COSMOS_INBOX_CONTAINER=i", "EVENTS_TOPIC=t",
		"SERVICEBUS_CONNECTION=Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true;",
	}
	began := time.Now()
	require.NoError(tb, cmd.Start())
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	for ctx.Err() == nil {
		resp, err := http.Get("http://" + addr.String() + "/")
		if err == nil {
			took := time.Since(began)
			require.NoError(tb, resp.Body.Close())
			require.Equal(tb, http.StatusOK, resp.StatusCode)
			return took
		}
	}
	tb.Fatal("the handler does not answer")
	return 0
}

// The host polls for 30 s; a cold start of the function is what a client waits for.
// The bound is generous because tests share their processors: the benchmark tells.
func TestHandlerAnswersAtOnce(t *testing.T) {
	t.Parallel()
	fastest := time.Hour
	for range 5 {
		fastest = min(fastest, startHandler(t))
	}
	t.Logf("GET / answered after %v", fastest)
	require.Less(t, fastest, 2*time.Second)
}

func BenchmarkHandlerStart(b *testing.B) {
	var sum time.Duration
	for b.Loop() {
		sum += startHandler(b)
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "ms/start")
}
