package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/hostile"
)

// mailing is the path of the second consumer's subscription, listContainer that of its models.
const (
	mailing       = "entity-events/Subscriptions/mailing-list"
	listContainer = "mailing-list"
)

// entry is what the mailing list has of a profile.
type entry struct {
	PK            string `json:"pk"`
	LastSeq, Gaps int64
	Data          struct{ Address string }
}

// entry reads the second consumer's container; nil while there is no entry.
func (s *system) entry(id string) *entry {
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], listContainer) {
		var e entry
		require.NoError(s.t, json.Unmarshal(text, &e))
		if e.PK == "profile:"+id {
			return &e
		}
	}
	return nil
}

// listed waits until the list has an address of a profile.
func (s *system) listed(id, address string) {
	s.t.Helper()
	s.eventually(func() bool { e := s.entry(id); return e != nil && e.Data.Address == address }, "the list has %q of %s", address, id)
	require.Zero(s.t, s.entry(id).Gaps, "what the rule leaves out is no gap")
}

func (s *system) email(id, address string, status int) {
	s.t.Helper()
	s.must(status, "PUT", id, fmt.Sprintf(`{"displayName":"Name","email":%q}`, address))
}

// withConsumers is the stack's own topology, in which the second consumer's deliveries are few.
func withConsumers(t *testing.T) func(*stack.Config) {
	t.Helper()
	names := stack.Defaults()
	consumers, err := stack.Consumers(assembled, names)
	require.NoError(t, err)
	topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"], consumers...)
	topology.Topics[0].Subscriptions[1].MaxDeliveryCount = 2
	return func(c *stack.Config) { c.Topology = topology }
}

// replay sends an event as it is replayed for the second consumer.
func (s *system) replay(id string, changes map[string]any) {
	s.t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(s.BusConnection, nil)
	require.NoError(s.t, err)
	defer func() { _ = client.Close(s.t.Context()) }()
	sender, err := client.NewSender(s.Settings["EVENTS_TOPIC"], nil)
	require.NoError(s.t, err)
	kind, _ := changes["type"].(string)
	require.NoError(s.t, sender.SendMessage(s.t.Context(), &azservicebus.Message{
		MessageID: &id, Subject: &kind, Body: hostile.Envelope(changes), ApplicationProperties: map[string]any{"replayfor": "mailing-list"},
	}, nil))
}

// TestTwoConsumersOfOneEvent: each has its own model; the second hears what its rule lets through,
// and what is replayed for it.
func TestTwoConsumersOfOneEvent(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.email("two", "a@example.com", 201)
	s.listed("two", "a@example.com")
	s.must(200, "PUT", "two", `{"displayName":"Another","email":"a@example.com"}`)
	s.email("two", "b@example.com", 200)
	s.listed("two", "b@example.com")
	require.EqualValues(t, 4, s.entry("two").LastSeq)
	s.must(204, "DELETE", "two", "")
	s.listed("two", "")
	s.consumed("two", 5)

	s.send("profile:ann", "first", firstEvent()) // which has no label, so the rule leaves it out
	s.consumed("profile:ann", 1)
	require.Nil(t, s.entry("ann"))
	s.replay("again", map[string]any{
		"id": "again", "sequence": "1", "type": "relaybox.profile.snapshot", "data": map[string]any{"id": "ann", "state": map[string]any{"displayName": "Ann", "email": "ann@example.com"}},
	})
	s.listed("ann", "ann@example.com")
	s.eventually(func() bool { return s.Bus.Counts(s.subscription()).Active == 0 }, "the first consumer has had the copy")
	require.EqualValues(t, 1, s.model("ann").LastSeq)
	require.Equal(t, map[string]int64{"created": 1}, s.model("ann").Data.View.Applied, "which changed nothing there")
}

// TestAConsumerThatIsStoppedDelaysNobody: its messages wait, the other goes on, and later the list
// is what it would have been.
func TestAConsumerThatIsStoppedDelaysNobody(t *testing.T) {
	t.Parallel()
	const people = 20
	data := t.TempDir()
	keep := func(c *stack.Config) { c.Data = data }
	s := start(t, keep, withConsumers(t), func(c *stack.Config) { c.Settings["AzureWebJobs.MailingList.Disabled"] = "true" })
	for n := range people {
		s.email(fmt.Sprint("p-", n), fmt.Sprintf("old-%d@example.com", n), 201)
		s.email(fmt.Sprint("p-", n), fmt.Sprintf("new-%d@example.com", n), 200)
	}
	for n := range people {
		s.consumed(fmt.Sprint("p-", n), 3)
	}
	require.Equal(t, 2*people, s.Bus.Counts(mailing).Active, "and no updated among them")
	require.Zero(t, s.Bus.Counts(s.subscription()).DeadLetter)
	require.NoError(t, s.Close())

	s.run(t, keep, withConsumers(t))
	for n := range people {
		s.listed(fmt.Sprint("p-", n), fmt.Sprintf("new-%d@example.com", n))
	}
	s.eventually(func() bool { return s.Bus.Counts(mailing).Active == 0 }, "the subscription is empty")
	require.Zero(t, s.Bus.Counts(mailing).DeadLetter)
}

// TestDeadLettersAreEachConsumersOwn: what one refuses the other applies, and both go on.
func TestDeadLettersAreEachConsumersOwn(t *testing.T) {
	t.Parallel()
	s := start(t, withConsumers(t))
	dead := func(path string) int { return s.Bus.Counts(path).DeadLetter }
	order := map[string]any{"customer": "ann", "status": "open", "lines": []any{map[string]any{"sku": "book", "quantity": 1, "cents": 100}}}
	for _, c := range []struct {
		name          string
		changes       map[string]any
		first, second int // dead letters after it
	}{
		{"a kind that the list does not hear", map[string]any{
			"id": "o-1", "sequence": "1", "type": "relaybox.order.created", "source": "/relaybox/order", "subject": "7", "partitionkey": "order:7", "data": map[string]any{"id": "7", "state": order},
		}, 0, 1},
		{"its good twin", map[string]any{"id": "g-1", "sequence": "1", "type": "relaybox.profile.created"}, 0, 1},
	} {
		s.replay(c.name, c.changes)
		s.eventually(func() bool {
			return dead(mailing) == c.second && s.Bus.Counts(mailing).Active == 0 && s.Bus.Counts(s.subscription()).Active == 0
		}, c.name)
		require.Equal(t, c.first, dead(s.subscription()), c.name)
	}
	s.consumed("order:7", 1)
	s.consumed("profile:ann", 1)
	s.email("well", "well@example.com", 201)
	s.consumed("well", 1)
	s.listed("well", "well@example.com")
}
