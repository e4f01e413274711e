package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/hostile"
)

// stored is everything that the app has in its containers.
func (s *system) stored() []string {
	all := []string{}
	for _, container := range []string{"COSMOS_OUTBOX_CONTAINER", "COSMOS_INBOX_CONTAINER"} {
		for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings[container]) {
			all = append(all, string(text))
		}
	}
	return all
}

// emptyViews deletes the consumer's documents behind the app's back.
func (s *system) emptyViews() {
	s.t.Helper()
	client, err := azcosmos.NewClientFromConnectionString(s.CosmosConnection, nil)
	require.NoError(s.t, err)
	views, err := client.NewContainer(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_INBOX_CONTAINER"])
	require.NoError(s.t, err)
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_INBOX_CONTAINER"]) {
		var doc struct{ ID, PK string }
		require.NoError(s.t, json.Unmarshal(text, &doc))
		_, err := views.DeleteItem(s.t.Context(), azcosmos.NewPartitionKeyString(doc.PK), doc.ID, nil)
		require.NoError(s.t, err)
	}
}

// firstEvent is what a case in the state "exists" comes after.
func firstEvent() []byte {
	return hostile.Envelope(map[string]any{"id": "e-1", "sequence": "1", "type": "relaybox.profile.created"})
}

// TestHostileInvocations sends the table to the port of the real handler, which the host has
// started: whoever reaches that port need not be the host.
func TestHostileInvocations(t *testing.T) {
	t.Parallel()
	var log lines
	s := start(t, func(c *stack.Config) { c.HandlerOutput = &log })
	port := regexp.MustCompile(`"msg":"handler listens","port":([0-9]+)`)
	s.eventually(func() bool { return log.find(port) != "" && log.holds("containers are there") }, "the handler listens")
	handler := "127.0.0.1:" + log.find(port)
	invoke := func(c hostile.Case) (int, []byte) {
		answer, body, err := exchange(handler, c.Method, c.Bytes("localhost", ""))
		require.NoError(t, err, c.Name)
		return answer.StatusCode, body
	}
	cases := hostile.Invocations()
	require.GreaterOrEqual(t, len(cases), 234)
	for _, state := range []string{"absent", "exists"} {
		var fresh []string // what a case meets
		for _, c := range cases {
			if fresh == nil || !slices.Equal(fresh, s.stored()) {
				s.emptyViews()
				if state == "exists" {
					status, body := invoke(hostile.Case{Method: http.MethodPost, Target: "/ConsumeEvent", Body: string(hostile.Invocation(firstEvent(), nil)), HasBody: true})
					require.Equal(t, http.StatusOK, status, string(body))
				}
				fresh = s.stored()
			}
			status, body := invoke(c)
			assert.NoError(t, c.CheckInvocation(state, status, body), "%s, %s", c.Name, state)
			if status != http.StatusOK {
				require.Equal(t, fresh, s.stored(), "%s, %s: stored without being acknowledged", c.Name, state)
			} else if c.Name == "a valid event" {
				require.NotEqual(t, fresh, s.stored(), "acknowledged and not stored")
			}
		}
	}
}

// TestHostileMessages sends the table's messages to the topic, so that host and handler get
// them as they get every event: those that must be refused are dead letters then, with the
// reason in the log, nothing is stored of them, and those that must not be are none.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"absent", "exists"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			var log lines
			names := stack.Defaults()
			topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
			topology.Topics[0].Subscriptions[0].MaxDeliveryCount = 1
			s := start(t, func(c *stack.Config) { c.HandlerOutput, c.Topology = &log, topology })
			if state == "exists" {
				s.send("profile:ann", "first", firstEvent())
				s.consumed("profile:ann", 1)
			}
			before := s.stored()

			refused, applied := map[string]hostile.Want{}, [][]byte{}
			var messages []*azservicebus.Message
			for n, c := range hostile.Invocations() {
				body, ok := c.Delivery()
				switch want := c.Want(state); {
				case !ok || c.Target != "/ConsumeEvent" || c.Method != http.MethodPost:
				case want.Status == http.StatusOK:
					applied = append(applied, body)
				default:
					id, session := fmt.Sprintf("%d %s", n, c.Name), "profile:ann"
					refused[id] = want
					messages = append(messages, &azservicebus.Message{MessageID: &id, SessionID: &session, Body: body})
				}
			}
			require.GreaterOrEqual(t, len(refused), 100)
			s.publish(messages)
			require.Eventually(t, func() bool { return len(s.deadLetters()) == len(refused) }, time.Minute, 50*time.Millisecond, "each is refused")
			require.Equal(t, before, s.stored(), "stored without being acknowledged")
			for id, want := range refused {
				if want.Kind == "-" {
					continue // no refusal, and so the log has the host's line only
				}
				require.True(t, log.holds(`"signal":"refused"`, fmt.Sprintf(`"reason":%q`, want.Kind), fmt.Sprintf(`"message":%q`, id)), "%s: %s", id, want.Kind)
			}

			for n, body := range applied {
				s.send("profile:ann", fmt.Sprint("applied ", n), body)
			}
			s.eventually(func() bool {
				waiting := s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + s.Settings["EVENTS_SUBSCRIPTION"])
				return len(waiting) == 0
			}, "the others are taken")
			require.Len(t, s.deadLetters(), len(refused))
			require.NotEqual(t, before, s.stored())
		})
	}
}

// publish sends messages to the app's topic.
func (s *system) publish(messages []*azservicebus.Message) {
	s.t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(s.BusConnection, nil)
	require.NoError(s.t, err)
	defer func() { _ = client.Close(s.t.Context()) }()
	sender, err := client.NewSender(s.Settings["EVENTS_TOPIC"], nil)
	require.NoError(s.t, err)
	for _, m := range messages {
		require.NoError(s.t, sender.SendMessage(s.t.Context(), m, nil))
	}
}
