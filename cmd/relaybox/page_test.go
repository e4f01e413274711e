package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// looked is a page's source on a store and a bus without an app.
type looked struct {
	*pageSource
	*ledger
	kept bytes.Buffer
}

func newLooked(t *testing.T) *looked {
	t.Helper()
	l, data := &looked{}, t.TempDir()
	heard := newFollower(page.NewTrail(time.Now().Add(-time.Minute)), stack.Defaults())
	t.Cleanup(heard.close)
	s := stack.RunT(t, func(c *stack.Config) {
		c.Only, c.Data = []stack.Part{stack.Cosmos, stack.Bus}, data
		c.Settings = map[string]string{"COSMOS_KIND_CONTAINERS": "order=orders/order-views"}
		c.BusWatch = heard.hear
		c.Leave = func(string) bool { return true }
	})
	l.ledger = ledgerOf(t, maps.Clone(s.Settings))
	var err error
	l.pageSource, err = newPageSource(s, data, heard, &l.kept)
	require.NoError(t, err)
	t.Cleanup(l.desk.Close)
	return l
}

func (l *looked) act(a page.Act) string {
	l.t.Helper()
	said, err := l.Act(l.t.Context(), a)
	require.NoError(l.t, err)
	return said
}

// newest is the verb and the reason of the newest record.
func (l *looked) newest() (record []string) {
	l.t.Helper()
	require.NoError(l.t, l.History(l.t.Context(), func(found []outbox.Act) error {
		if record == nil {
			record = []string{string(found[0].Verb), found[0].Reason}
		}
		return nil
	}))
	return record
}

func (l *looked) look() *page.Snapshot {
	l.t.Helper()
	s := l.Look(l.t.Context())
	require.Empty(l.t, s.Unknown)
	return s
}

// TestThePageShowsWhatStatusFinds, and what its buttons do is done as the command line does it.
func TestThePageShowsWhatStatusFinds(t *testing.T) {
	t.Parallel()
	l := newLooked(t)
	l.park("profile:a", 2, outbox.Fault{Reason: "no", Attempts: 3, At: time.Now()})
	l.park("order:b", 0, outbox.Fault{Reason: "never", Attempts: 3, At: time.Now()})
	l.write("profile:c", 1)

	s := l.look()
	require.Equal(t, 3, s.Outbox.Pending)
	require.Equal(t, 2, s.Outbox.Parked)
	require.Equal(t, 2, s.Outbox.Keys)
	require.InDelta(t, time.Hour.Seconds(), s.Outbox.Oldest, 60)
	require.Len(t, s.Parked, 2)
	require.Len(t, s.Events, 5)
	require.Zero(t, *s.EarlyKeys)
	require.Nil(t, s.Flow.ToEffect, "nothing has arrived")

	require.Equal(t, "1 redriven", l.act(page.Act{Verb: page.Redrive, Names: []string{"profile:a/1"}}))
	require.Equal(t, []string{"1 t.changed pending", "2 t.changed pending", "3 t.changed pending"}, l.left("profile:a"))
	require.Equal(t, "1 skipped", l.act(page.Act{Verb: page.Skip, Names: []string{"order:b/1"}, Reason: "its data is broken"}))
	require.Equal(t, "kind profile: paused", l.act(page.Act{Verb: page.PauseSending, Scope: "kind", Name: "profile"}))
	require.Equal(t, "profile", l.look().Pauses[0].Name)
	require.Equal(t, "kind profile: resumed", l.act(page.Act{Verb: page.ResumeSending, Scope: "kind", Name: "profile"}))

	var acts []string
	require.NoError(t, l.History(t.Context(), func(found []outbox.Act) error {
		for _, a := range found {
			require.Equal(t, person(), a.Author)
			acts = append(acts, fmt.Sprintf("%s %s %s", a.Verb, a.State, a.Reason))
		}
		return nil
	}))
	require.Equal(t, []string{"resume done " + pageReason, "pause done " + pageReason, "skip done its data is broken", "redrive done " + pageReason}, acts)

	for says, a := range map[string]page.Act{
		"Name them":           {Verb: page.Redrive},
		"skip takes names":    {Verb: page.Skip, All: true},
		"no such event":       {Verb: page.Redrive, Names: []string{"profile:nobody/1"}},
		"names no event":      {Verb: page.Redrive, Names: []string{"nonsense"}},
		"nothing has the":     {Verb: page.PauseSending, Scope: "moon"},
		"there is no verb":    {Verb: "sing"},
		"there is no fault":   {Verb: page.SwitchFault, Fault: "flood", On: true},
		"Write a pattern":     {Verb: page.SwitchFault, Fault: refuseOf, On: true},
		"use a pattern like":  {Verb: page.SwitchFault, Fault: refuseOf, On: true, Keys: "["},
		"no dead letter has ": {Verb: page.RedriveLetters, Names: []string{"17"}},
	} {
		_, err := l.Act(t.Context(), a)
		require.ErrorContains(t, err, says)
	}
}

// TestThePageFollowsAnEvent from the topic to the consumer, to a dead letter, and back.
func TestThePageFollowsAnEvent(t *testing.T) {
	t.Parallel()
	l := newLooked(t)
	client, err := azservicebus.NewClientFromConnectionString(l.stack.BusConnection, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(context.Background())) })
	sender, err := client.NewSender("entity-events", nil)
	require.NoError(t, err)
	receiver, err := client.NewReceiverForSubscription("entity-events", "read-models", nil)
	require.NoError(t, err)
	receive := func() *azservicebus.ReceivedMessage {
		got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		return got[0]
	}
	id := "e-1"
	written := time.Now().Add(-2 * time.Second).UTC().Format(time.RFC3339Nano)
	body := strings.Replace(orderOne, `"data"`, `"time":"`+written+`","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data"`, 1)
	require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: []byte(body)}, nil))
	require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{Body: []byte("no event")}, nil))
	s := l.look()
	require.Len(t, s.Events, 1, "what is no event has no way")
	require.Equal(t, page.Sent, s.Events[0].State)
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", s.Events[0].Trace)
	require.Equal(t, 2, s.Broker.Waiting)

	require.NoError(t, receiver.DeadLetterMessage(t.Context(), receive(), &azservicebus.DeadLetterOptions{Reason: new("tired")}))
	require.NoError(t, receiver.CompleteMessage(t.Context(), receive(), nil))
	s = l.look()
	require.Equal(t, page.Dead, s.Events[0].State)
	require.Equal(t, "order:1", s.Letters[0].Key)
	require.Equal(t, "tired", s.Letters[0].Reason)

	require.Equal(t, "1 redriven", l.act(page.Act{Verb: page.RedriveLetters, All: true}))
	require.Empty(t, l.kept.String(), "the store has its record")
	require.Equal(t, []string{"redrive", pageReason}, l.newest(), "it is on the record")
	require.NoError(t, receiver.CompleteMessage(t.Context(), receive(), nil))
	s = l.look()
	require.Len(t, s.Events, 1, "the copy is the same event")
	require.Equal(t, page.Consumed, s.Events[0].State)
	require.Zero(t, s.Broker.DeadLetters)
	require.Equal(t, 1, s.Flow.ToEffect.N)
	require.GreaterOrEqual(t, s.Flow.ToEffect.P50, 2000.0)
}

// TestTheBusDoesNotReadForThePage: it is locked while it tells of a message.
func TestTheBusDoesNotReadForThePage(t *testing.T) {
	t.Parallel()
	f := &follower{trail: page.NewTrail(time.Now()), topic: "events", subs: "events/Subscriptions/s", told: make(chan step, 2), done: make(chan struct{})}
	defer f.close()
	f.hear(minibus.Passage{Step: minibus.Published, Entity: "EVENTS", Message: minibus.Message{MessageID: "m", Body: []byte(orderOne)}})
	f.hear(minibus.Passage{Step: minibus.Completed, Entity: "events/subscriptions/S", Message: minibus.Message{MessageID: "m"}})
	f.hear(minibus.Passage{Step: minibus.Published, Entity: "another", Message: minibus.Message{Body: []byte(orderOne)}})
	_, events := f.trail.Show(time.Now(), nil)
	require.Empty(t, events)
	go f.read()
	f.catchUp()
	_, events = f.trail.Show(time.Now(), nil)
	require.Len(t, events, 1)
	require.Equal(t, page.Consumed, events[0].State)
}

// TestThePageSwitchesFaults, and leaves alone what others have switched on.
func TestThePageSwitchesFaults(t *testing.T) {
	t.Parallel()
	l := newLooked(t)
	on := func() (names []string) {
		list, others := l.switches()
		for _, s := range list {
			if s.On {
				names = append(names, s.Name)
			}
		}
		return append(names, fmt.Sprint(others))
	}
	require.NoError(t, l.stack.Bus.Inject(minibus.Fault{On: minibus.OnSettle, Do: minibus.Duplicate}))
	require.NoError(t, l.stack.Cosmos.Inject(minicosmos.Fault{On: minicosmos.OpFeed, Do: minicosmos.Gone}))
	require.Equal(t, []string{"2"}, on())
	all := append([]string{}, switchOrder...)
	for _, name := range all {
		l.act(page.Act{Verb: page.SwitchFault, Fault: name, On: true, Keys: "order:*"})
		l.act(page.Act{Verb: page.SwitchFault, Fault: name, On: true, Keys: "order:*"}) // a second click is no second fault
	}
	require.Equal(t, append(all, "2"), on())
	require.True(t, l.stack.BusNet.IsCut())
	require.Len(t, l.stack.Bus.Faults(), 5)
	s := l.Look(t.Context())
	require.Nil(t, s.Outbox, "nobody knows")
	require.Nil(t, s.Flow.Written)
	require.NotEmpty(t, s.Unknown)

	for _, name := range switchOrder {
		l.act(page.Act{Verb: page.SwitchFault, Fault: name})
	}
	require.Equal(t, []string{"2"}, on())
	l.act(page.Act{Verb: page.SwitchFault, Fault: cutStore, On: true})
	l.act(page.Act{Verb: page.ClearFaults})
	require.Equal(t, []string{"0"}, on())
	l.look()
}

// TestPageAddress: the page is of this machine only, and one that is in the way moves it.
// TestASlipLeavesTheFaults: a pattern that cannot be takes nobody's fault away.
func TestASlipLeavesTheFaults(t *testing.T) {
	t.Parallel()
	l := newLooked(t)
	require.NoError(t, l.stack.Bus.Inject(minibus.Fault{On: minibus.OnSend, Do: minibus.Busy, Chance: 0.1}))
	before := l.stack.Bus.Faults()
	_, err := l.Act(t.Context(), page.Act{Verb: page.SwitchFault, Fault: refuseOf, On: true, Keys: "profile:["})
	require.ErrorContains(t, err, "use a pattern like")
	require.Equal(t, before, l.stack.Bus.Faults())
	l.act(page.Act{Verb: page.SwitchFault, Fault: refuseOf, On: true, Keys: "profile:*"})
	require.Len(t, l.stack.Bus.Faults(), 2, "once, beside the other")
}

func TestPageAddress(t *testing.T) {
	t.Parallel()
	for addr, says := range map[string]string{
		"": "", "off": "", "127.0.0.1:0": "", "localhost:80": "", "[::1]:80": "",
		"7075": "is no address", "127.0.0.1:http": "is no address", "0.0.0.0:7075": "this machine only", ":7075": "this machine only", "192.0.2.1:7075": "this machine only",
	} {
		f := typed()
		f.page = addr
		_, err := f.config(nil)
		if says == "" {
			require.NoError(t, err, addr)
		} else {
			require.ErrorContains(t, err, says, addr)
		}
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	err = run(t.Context(), []string{"up", "--only", "cosmos,bus", "--data", t.TempDir(), "--cosmos-addr", "127.0.0.1:0", "--bus-addr", "127.0.0.1:0", "--bus-admin-addr", "off", "--page-addr", busy.Addr().String()}, t.Output(), t.Output())
	require.ErrorContains(t, err, busy.Addr().String())
	require.ErrorContains(t, err, "--page-addr off")

	f := typed()
	f.page = usualPage
	var told []string
	p, err := f.openPage(&stack.Config{HostAddr: usualPage, Notice: func(s string) { told = append(told, s) }})
	require.NoError(t, err)
	require.NotContains(t, p.url(), usualPage, "the host has it")
	require.Equal(t, []string{usualPage + " is taken: the page has a free port"}, told)
	p.close()

	f = typed()
	f.page, f.only = "127.0.0.1:0", []string{"host"}
	p, err = f.openPage(&stack.Config{})
	require.NoError(t, err)
	require.Empty(t, p.url(), "there is nothing to look at")
	p.close()
}

// TestUpServesThePage as long as it runs.
func TestUpServesThePage(t *testing.T) {
	t.Parallel()
	f := typed()
	f.page = "127.0.0.1:0"
	cfg := stack.Config{Only: []stack.Part{stack.Cosmos, stack.Bus}, Data: t.TempDir(), Notice: func(s string) { t.Error(s) }}
	p, err := f.openPage(&cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	ended := make(chan error)
	go func() { ended <- p.around(ctx, cfg, &out, t.Output()) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(), nil)
	require.NoError(t, err)
	got, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.NoError(t, got.Body.Close())
	// Who has not started it finds it, too.
	for _, verb := range []string{"status", "doctor"} {
		_, said, _ := called(ctx, verb, "--data", cfg.Data)
		require.Contains(t, said, p.url(), verb)
	}
	cancel()
	require.NoError(t, <-ended)
	require.Contains(t, out.String(), "Look at it: "+p.url())
	_, err = net.DialTimeout("tcp", p.listener.Addr().String(), time.Second)
	require.Error(t, err)
}
