package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// program is the command line, built once for the tests that run it.
var program = sync.OnceValues(func() (string, error) {
	source, err := stack.FindSource(".")
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(assembled), "relaybox")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", file, "./cmd/relaybox")
	build.Dir, build.Stderr = source, os.Stderr
	return file, build.Run()
})

// relaybox runs the program on the system's settings. It is not waited for.
func (s *system) relaybox(args ...string) *exec.Cmd {
	s.t.Helper()
	file, err := program()
	require.NoError(s.t, err)
	text, err := json.Marshal(map[string]any{"Values": s.Settings})
	require.NoError(s.t, err)
	settings := filepath.Join(s.t.(*testing.T).TempDir(), "settings.json")
	require.NoError(s.t, os.WriteFile(settings, text, 0o600))
	return exec.CommandContext(s.t.Context(), file, append(args, "--settings", settings)...)
}

// operate runs the program to its end, and reads what it printed as JSON.
func (s *system) operate(status int, args ...string) (got listed) {
	s.t.Helper()
	cmd := s.relaybox(append(args, "--json")...)
	out, err := cmd.Output()
	var said []byte
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // what Output documents
		said, err = exit.Stderr, nil
	}
	require.NoError(s.t, err)
	require.Equal(s.t, status, cmd.ProcessState.ExitCode(), "%s\n%s", out, said)
	require.NoError(s.t, json.Unmarshal(out, &got), "%s", out)
	return got
}

// refuse dead-letters what lies in the subscription, in the reverse of its order, as a consumer
// would that can apply none of it.
func (s *system) refuse(n int) {
	s.t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(s.BusConnection, nil)
	require.NoError(s.t, err)
	defer func() { _ = client.Close(s.t.Context()) }()
	r, err := client.NewReceiverForSubscription(s.Settings["EVENTS_TOPIC"], s.Settings["EVENTS_SUBSCRIPTION"], nil)
	require.NoError(s.t, err)
	var got []*azservicebus.ReceivedMessage
	for len(got) < n {
		more, err := r.ReceiveMessages(s.t.Context(), n-len(got), nil)
		require.NoError(s.t, err)
		got = append(got, more...)
	}
	for i := range got {
		require.NoError(s.t, r.DeadLetterMessage(s.t.Context(), got[len(got)-1-i], &azservicebus.DeadLetterOptions{Reason: new("cannot-apply")}))
	}
}

// listed is what the program prints, of whichever verb.
type listed struct {
	Events []struct {
		Key   string
		Seq   int64
		State string
	}
	Acts   []outbox.Act
	Pauses []outbox.Halt
	State  outbox.ActState

	DeadLetters []struct {
		SequenceNumber int64
		MessageID      string
		Key, Reason    string
		Unreadable     string
		Event          *struct{ Seq int64 }
		Outcome        string
	}
	Counts map[string]int
}

// TestDeadLettersAreRedriven: the events of three keys die while the consumer can apply none, in
// any order, beside a body that is no event. The cause mended, an operator who has the command
// line only sends them again: a run is killed between a send and its removal, and the next one
// goes on. Each has its effect, once and in order.
func TestDeadLettersAreRedriven(t *testing.T) {
	t.Parallel()
	const keys, writes = 3, 4
	data := t.TempDir()
	names := stack.Defaults()
	topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
	topology.Topics[0].Subscriptions[0].LockDuration = 5 * time.Second // what the killed run has locked
	keep := func(c *stack.Config) { c.Data, c.Topology = data, topology }
	s := start(t, keep, func(c *stack.Config) { c.Settings["AzureWebJobs.ConsumeEvent.Disabled"] = "true" })
	for n := range writes {
		for k := range keys {
			s.put(fmt.Sprintf("dead-%d", k), fmt.Sprintf("Name %d", n))
		}
	}
	s.send("nobody", "poison", []byte("no event"))
	s.eventually(func() bool { return s.Bus.Counts(s.subscription()).Active == keys*writes+1 }, "all is in the subscription")
	s.refuse(keys*writes + 1)

	got := s.operate(0, "deadletters", "list")
	require.Len(t, got.DeadLetters, keys*writes+1)
	got = s.operate(0, "deadletters", "list", "--key", "profile:dead-1")
	require.Len(t, got.DeadLetters, writes)
	require.EqualValues(t, writes, got.DeadLetters[0].Event.Seq, "they died in the reverse order")
	got = s.operate(0, "deadletters", "show", "poison")
	require.Len(t, got.DeadLetters, 1)
	require.NotEmpty(t, got.DeadLetters[0].Unreadable)
	require.Equal(t, "cannot-apply", got.DeadLetters[0].Reason)

	require.NoError(t, s.Close())
	s.run(t, keep) // with a consumer that can
	got = s.operate(0, "deadletters", "drop", "poison", "--yes")
	require.Equal(t, map[string]int{"dropped": 1}, got.Counts)

	// The topic takes a copy, and its answer does not come: the run dies before it has removed
	// the letter.
	require.NoError(t, s.Bus.Inject(minibus.Fault{Entity: s.Settings["EVENTS_TOPIC"], On: minibus.OnSend, Do: minibus.Stall, Times: keys}))
	dying := s.relaybox("deadletters", "redrive", "--all")
	require.NoError(t, dying.Start())
	s.eventually(func() bool {
		done := 0
		for k := range keys {
			if m := s.model(fmt.Sprintf("dead-%d", k)); m != nil && m.LastSeq == 1 {
				done++
			}
		}
		return done == keys
	}, "the first of each key has its effect")
	require.NoError(t, dying.Process.Kill())
	require.Error(t, dying.Wait())
	s.Bus.ClearFaults()
	require.Len(t, s.deadLetters(), keys*writes, "none has left the queue")

	got = s.operate(0, "deadletters", "redrive", "--all", "--reason", "mended")
	require.Equal(t, map[string]int{"redriven": keys * writes}, got.Counts)
	for k := range keys {
		id := fmt.Sprintf("dead-%d", k)
		m := s.consumed(id, writes)
		require.Equal(t, fmt.Sprintf("Name %d", writes-1), m.Data.State.DisplayName)
		require.Equal(t, map[string]int64{"created": 1, "updated": writes - 1}, m.Data.View.Applied)
	}
	s.nothingDeadLettered()
	s.must(http.StatusOK, http.MethodPut, "dead-0", `{"displayName":"and on"}`)
	s.consumed("dead-0", writes+1)
}

func (s *system) subscription() string {
	return s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + s.Settings["EVENTS_SUBSCRIPTION"]
}
