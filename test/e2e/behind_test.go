package e2e_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/local/stack"
)

// recreate deletes a container and makes it anew behind the app's back, as an operator would.
func recreate(t *testing.T, s *stack.Stack, name string) {
	t.Helper()
	database := s.Settings["COSMOS_DATABASE"]
	client, err := azcosmos.NewClientFromConnectionString(s.CosmosConnection, nil)
	require.NoError(t, err)
	container, err := client.NewContainer(database, name)
	require.NoError(t, err)
	_, err = container.Delete(t.Context(), nil)
	require.NoError(t, err)
	ours := cosmos.Open(cosmos.Connection{ConnectionString: s.CosmosConnection}, cosmos.Options{})
	t.Cleanup(ours.Close)
	require.NoError(t, ours.EnsureContainers(t.Context(), database, name))
}

// send puts a message on the app's topic, as somebody else with the right to send.
func (s *system) send(session, id string, body []byte) {
	s.t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(s.BusConnection, nil)
	require.NoError(s.t, err)
	defer func() { _ = client.Close(s.t.Context()) }()
	sender, err := client.NewSender(s.Settings["EVENTS_TOPIC"], nil)
	require.NoError(s.t, err)
	require.NoError(s.t, sender.SendMessage(s.t.Context(), &azservicebus.Message{MessageID: &id, SessionID: &session, Body: body}, nil))
}

// find is the first match of a pattern's group in what was printed; "" while there is none.
func (l *lines) find(pattern *regexp.Regexp) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := pattern.FindStringSubmatch(l.text.String()); found != nil {
		return found[1]
	}
	return ""
}

// lines keeps what the handler prints.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// holds says whether one line has all the parts.
func (l *lines) holds(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}
