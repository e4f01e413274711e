package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	busadmin "github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// late is a subscription that is made when entities have been written for a while, and asked one
// beside it, whose rule takes what is replayed for that alone.
const (
	late  = "late"
	asked = "asked"
)

// subscribe makes both.
func (s *system) subscribe() {
	s.t.Helper()
	client, err := admin.NewClientFromConnectionString(s.BusConnection, &admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: busadmin.PlainHTTP(s.BusAdminAddr, http.DefaultClient)}})
	require.NoError(s.t, err)
	for name, rule := range map[string]*admin.RuleProperties{
		late:  nil,
		asked: {Name: "replays", Filter: &admin.SQLFilter{Expression: "sys.Label LIKE 'nobody.%' OR replayfor = '" + late + "'"}},
	} {
		_, err = client.CreateSubscription(s.t.Context(), s.Settings["EVENTS_TOPIC"], name, &admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{DefaultRule: rule}})
		require.NoError(s.t, err)
	}
}

// received are the messages of a subscription that nobody receives from, in order.
func (s *system) received(subscription string) []minibus.Message {
	return s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + subscription)
}

// source are the profiles as they are stored, by key, and the run that has told of each.
func (s *system) source() (states map[string]json.RawMessage, runs map[string]string) {
	s.t.Helper()
	states, runs = map[string]json.RawMessage{}, map[string]string{}
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_OUTBOX_CONTAINER"]) {
		var doc struct {
			ID, PK, Replay string
			Deleted        bool
			Data           json.RawMessage
		}
		require.NoError(s.t, json.Unmarshal(text, &doc))
		if doc.ID == "entity" && !doc.Deleted {
			states[doc.PK], runs[doc.PK] = doc.Data, doc.Replay
		}
	}
	return states, runs
}

// TestASubscriberThatComesLate: profiles have been written, changed and some of them deleted when a
// subscription is made. A replay brings it up to date while clients go on writing; its process is
// killed in the middle, and so is the handler, and the next one goes on. The subscriber then knows
// every profile as it is, those that are gone included, and the consumer that was there from the beginning has missed nothing.
func TestASubscriberThatComesLate(t *testing.T) {
	t.Parallel()
	const profiles = 120
	s := start(t, witnessed, func(c *stack.Config) { c.BusAdminAddr = "127.0.0.1:0" })
	for n := range profiles {
		s.put(fmt.Sprint("old-", n), "first")
		if n%2 == 0 {
			s.put(fmt.Sprint("old-", n), fmt.Sprint("state of ", n))
		}
		if n%20 == 0 {
			s.must(http.StatusNoContent, http.MethodDelete, fmt.Sprint("old-", n), "")
		}
	}
	s.eventually(func() bool { return s.pending() == 0 }, "all of that has been sent")
	s.subscribe()
	before := s.must(http.StatusOK, http.MethodGet, "old-1", "", "Cache-Control", "no-cache")

	stop := s.write(3, func(client, n int) string {
		if client == 0 {
			return fmt.Sprint("new-", n)
		}
		return fmt.Sprint("old-", 60+(7*n+client)%60)
	})
	t.Cleanup(stop)
	args := []string{"replay", "--kind", "profile", "--subscription", late}
	dying := s.relaybox(append(args, "--rate", "40")...)
	require.NoError(t, dying.Start())
	told := func() (n int) {
		_, runs := s.source()
		for _, run := range runs {
			if run != "" {
				n++
			}
		}
		return n
	}
	s.eventually(func() bool { return told() > 30 }, "it has told of some")
	require.NoError(t, dying.Process.Kill())
	require.Error(t, dying.Wait())
	s.killHandler()
	require.Less(t, told(), profiles*9/10, "it was killed in the middle")

	done := s.replayed(args)
	require.True(t, done.Done)
	require.NotZero(t, done.Snapshots)
	require.Zero(t, done.Failed)
	stop()
	require.Equal(t, done.ID, s.replayed(args).ID, "there is nothing left to do")
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")

	after := s.must(http.StatusOK, http.MethodGet, "old-1", "", "Cache-Control", "no-cache")
	require.Equal(t, before, after, "clients have noticed nothing")
	s.must(http.StatusOK, http.MethodPut, "old-1", `{"displayName":"conditional"}`, "If-Match", before.etag)
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty again")
	s.knowsAll(done.ID)
	s.arrived()
}

// replayRun is what relaybox replay prints.
type replayRun struct {
	ID                string
	Done              bool
	Snapshots, Failed int
}

func (s *system) replayed(args []string) (got replayRun) {
	s.t.Helper()
	cmd := s.relaybox(append(args, "--rate", "1000", "--json")...)
	out, err := cmd.Output()
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(out, &got), "%s", out)
	return got
}

// knowsAll has the late subscriber apply what it got, and compares.
func (s *system) knowsAll(run string) {
	s.t.Helper()
	kinds, err := functions.Kinds()
	require.NoError(s.t, err)
	models := &inboxtest.MemStore{}
	in := inbox.New(models, kinds.Apply, inbox.Options{StartAnywhere: true})
	reached, snapshots := map[string]int64{}, map[string]int{}
	for _, m := range s.received(late) {
		e, err := kinds.Event(m.Body, m.SessionID)
		require.NoError(s.t, err)
		if last, ok := reached[e.Key]; ok {
			require.Equal(s.t, last+1, e.Seq, "%s: no number is missing, twice or late", e.Key)
		}
		reached[e.Key] = e.Seq
		require.EqualValues(s.t, e.Seq, m.Properties["seq"])
		if e.Type == "relaybox.profile.snapshot" {
			snapshots[e.Key]++
			require.Equal(s.t, late, m.Properties["replayfor"])
			require.Contains(s.t, string(m.Body), `"replayfor":"late"`)
		} else {
			require.NotContains(s.t, m.Properties, "replayfor")
		}
		outcome, err := in.Once(s.t.Context(), e)
		require.NoError(s.t, err)
		require.Equal(s.t, inbox.Applied, outcome)
	}
	all := 0
	for _, n := range snapshots {
		all += n
	}
	require.Len(s.t, s.received(asked), all, "a rule can ask for them")
	states, runs := s.source()
	for key, state := range states {
		m, err := models.Load(s.t.Context(), key)
		require.NoError(s.t, err)
		var view struct{ State json.RawMessage }
		require.NoError(s.t, json.Unmarshal(m.Data, &view), key)
		require.JSONEq(s.t, string(state), string(view.State), key)
		_, id := outbox.SplitKey(key)
		if runs[key] == "" {
			require.Regexp(s.t, "^new-", id, "only what was made meanwhile needs none")
			continue
		}
		require.Equal(s.t, run, runs[key])
		require.Equal(s.t, 1, snapshots[key], "%s has one snapshot, through a kill", key)
	}
	require.Greater(s.t, len(states), 120)
	for _, key := range []string{"profile:old-0", "profile:old-20", "profile:old-40"} {
		m, err := models.Load(s.t.Context(), key)
		require.NoError(s.t, err)
		require.Contains(s.t, string(m.Data), `"state":null`, "%s was deleted before, and stays so", key)
		require.Equal(s.t, 1, snapshots[key], key)
	}
}

// TestAConsumerThatComesLate: the app's second consumer is turned on when there are addresses already. A
// replay has it know all of them, and who is gone; who writes meanwhile is not set back.
func TestAConsumerThatComesLate(t *testing.T) {
	t.Parallel()
	const people = 20
	data := t.TempDir()
	keep := func(c *stack.Config) { c.Data = data }
	s := start(t, keep, func(c *stack.Config) { c.Settings["AzureWebJobs.MailingList.Disabled"] = "true" })
	for n := range people {
		s.email(fmt.Sprint("late-", n), fmt.Sprintf("old-%d@example.com", n), http.StatusCreated)
	}
	s.email("gone", "gone@example.com", http.StatusCreated)
	s.must(http.StatusNoContent, http.MethodDelete, "gone", "")
	s.eventually(func() bool { return s.pending() == 0 }, "all of that has been sent")
	require.NoError(t, s.Close())

	s.run(t, keep)
	s.email("late-0", "new@example.com", http.StatusOK)
	s.listed("late-0", "new@example.com")
	require.Nil(t, s.entry("late-1"))
	run := s.replayed([]string{"replay", "--kind", "profile", "--subscription", "mailing-list"})
	require.Equal(t, people+1, run.Snapshots)
	s.listed("late-0", "new@example.com")
	for n := 1; n < people; n++ {
		s.listed(fmt.Sprint("late-", n), fmt.Sprintf("old-%d@example.com", n))
	}
	s.eventually(func() bool { return s.pending() == 0 && s.Bus.Counts(mailing).Active == 0 }, "everything has arrived")
	require.Zero(t, s.Bus.Counts(mailing).DeadLetter)
	s.consumed("late-0", 4)
	require.Empty(t, s.entry("gone").Data.Address)
	require.Equal(t, map[string]int64{"created": 1, "deleted": 1, "snapshot": 1}, s.consumed("gone", 3).Data.View.Applied)
	s.must(http.StatusNotFound, http.MethodGet, "gone", "")
	require.Equal(t, map[string]int64{"created": 1, "snapshot": 1}, s.consumed("late-1", 2).Data.View.Applied)
}
