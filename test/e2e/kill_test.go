package e2e_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/stack"
)

// victimData tells a process of this test binary to be a stack on that data until it is killed.
const victimData = "RELAYBOX_E2E_VICTIM"

// victimBroker is its broker.
const victimBroker = "RELAYBOX_E2E_BROKER"

// victim runs a stack, prints its address and waits for its end.
func victim(data string) error {
	s, err := stack.Start(stack.Config{App: os.Getenv("RELAYBOX_E2E_APP"), Data: data, Broker: stack.Broker(os.Getenv(victimBroker)), StreamWait: streamWait})
	if err != nil {
		return err
	}
	fmt.Println(s.HostURL)
	<-s.Done()
	return s.Err()
}

// TestKilledStackLosesNothing kills store, bus, host and app with one SIGKILL under load,
// twice, and starts a stack on what is left on disk: every acknowledged write is there,
// and every event of it reaches the read model.
func TestKilledStackLosesNothing(t *testing.T) {
	t.Parallel()
	for _, broker := range []stack.Broker{stack.ServiceBus, stack.JetStream} {
		t.Run(string(broker), func(t *testing.T) {
			t.Parallel()
			testKills(t, broker)
		})
	}
}

func testKills(t *testing.T, broker stack.Broker) {
	data := filepath.Join(t.TempDir(), "data")
	acknowledged := map[string]int{} // profile → version
	record := &history.Recorder{}
	for range 2 {
		writeUntilKilled(t, data, broker, acknowledged, record)
	}
	s := start(t, func(c *stack.Config) { c.Data, c.Broker, c.StreamWait = data, broker, streamWait })
	s.record = record // it goes on
	require.NotEmpty(t, acknowledged)
	for id, version := range acknowledged {
		var got answer
		s.eventually(func() bool {
			var err error
			got, err = s.call(http.MethodGet, id, "")
			return err == nil && got.status == http.StatusOK
		}, "read %s", id)
		now := versionOf(got.etag)
		require.GreaterOrEqual(t, now, version, "an acknowledged write of %s is gone", id)
		// Every version makes one event here, acknowledged or not.
		s.eventually(func() bool { m := s.model(id); return m != nil && m.LastSeq == int64(now) }, "%s is consumed up to %d", id, now)
		require.Zero(t, s.model(id).Gaps)
	}
}

// writeUntilKilled starts a stack of its own process, lets four clients write, and kills
// it after a number of acknowledged writes, which it notes.
func writeUntilKilled(t *testing.T, data string, broker stack.Broker, acknowledged map[string]int, record *history.Recorder) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), self)
	process.Env = append(os.Environ(), victimData+"="+data, "RELAYBOX_E2E_APP="+assembled, victimBroker+"="+string(broker))
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "http://") { // the handler logs there too
	}
	s := &system{Stack: &stack.Stack{HostURL: lines.Text()}, t: t, http: &http.Client{}, record: record}
	require.NotEmpty(t, s.HostURL, "the stack did not start")
	go func() { // the pipe must not fill up
		for lines.Scan() {
		}
	}()

	var mu sync.Mutex // guards acknowledged and total
	total := 0
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("p-%d", (n+c)%5)
				got, err := s.call(http.MethodPut, id, fmt.Sprintf(`{"displayName":"%d %d %d"}`, process.Process.Pid, c, n))
				if err != nil {
					return // killed
				}
				if got.status >= 300 {
					continue
				}
				mu.Lock()
				acknowledged[id] = max(acknowledged[id], versionOf(got.etag))
				if total++; total == 60 {
					_ = process.Process.Kill()
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	require.Error(t, process.Wait(), "it was killed")
}

// versionOf is the version in an entity tag, -1 for what is none.
func versionOf(etag string) int {
	text, _, _ := strings.Cut(strings.Trim(etag, `"`), "-")
	version, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return version
}
