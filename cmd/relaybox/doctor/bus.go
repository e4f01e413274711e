package doctor

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/handler/config"
)

const (
	sendRole = "Azure Service Bus Data Sender on the topic"
	readRole = "Azure Service Bus Data Owner on the namespace"
)

// busQuestions is what doctor asks a namespace.
type busQuestions struct {
	config       config.Config
	subscription string
	consumers    []further
	adminAddr    string
	sessions     bool // the app's function takes them
	transport    http.RoundTripper
}

// ask attaches a sender and reads the entities, both at once.
func (q busQuestions) ask(ctx context.Context, who identities) Group {
	conn, topic := q.config.BusConnection(), q.config.Bus.Topic
	g := Group{Name: "Service Bus"}
	if conn.Validate() != nil || topic == "" {
		g.Findings = []Finding{notAsked("namespace", map[bool]string{true: "EVENTS_TOPIC", false: "SERVICEBUS_CONNECTION"}[conn.Validate() == nil])}
		return g
	}
	g.Name = fmt.Sprintf("Service Bus %s%s", admin.Place(conn), emulatorNote(admin.Emulator(conn)))
	opts := admin.Options{Addr: q.adminAddr, Transport: q.transport}
	if conn.ConnectionString == "" {
		opts.Credential = who.of(conn.ClientID)
	}
	var attached error
	var sight admin.Sight
	var others []Finding
	var questions sync.WaitGroup
	questions.Go(func() { attached = admin.Attach(ctx, conn, opts.Credential, topic) })
	questions.Go(func() { sight = admin.Inspect(ctx, conn, opts, topic, q.subscription) })
	questions.Go(func() { others = q.ofConsumers(ctx, conn, opts) })
	questions.Wait()

	g.Findings = append(g.Findings, q.sending(conn, attached))
	if sight.ClockKnown {
		g.Findings = append(g.Findings, CheckClock(sight.Ahead))
	}
	g.Findings = append(g.Findings, q.entities(conn, sight)...)
	if sight.TopicErr == nil { // of what is wrong with that enough is said
		g.Findings = append(g.Findings, others...)
	}
	return g
}

// sending is about the AMQP side, which the app uses.
func (q busQuestions) sending(conn servicebus.Connection, err error) Finding {
	topic := q.config.Bus.Topic
	if err != nil && probe.Of(err) == probe.Missing {
		return missingEntity(conn, "sending", "there is no topic "+topic, "EVENTS_TOPIC")
	}
	return CheckAccess(Access{
		Subject: "sending", Place: admin.Place(conn), Key: conn.ConnectionString != "", Err: err, Fine: "a sender attaches to " + topic,
		Start: "start the stand-ins with relaybox up, or the emulators with make func-start", Role: sendRole,
	})
}

func missingEntity(conn servicebus.Connection, subject, found, setting string) Finding {
	if admin.Emulator(conn) {
		return finding(Refused, subject, found, "add it to the emulator's topology, infra/emulators/servicebus.json, or correct "+setting)
	}
	return finding(Refused, subject, found, "deploy infra/bicep, or correct "+setting)
}

// entities is about what the administration interface says.
func (q busQuestions) entities(conn servicebus.Connection, s admin.Sight) []Finding {
	topic, subscription := q.config.Bus.Topic, q.subscription
	if s.TopicErr != nil {
		if probe.Of(s.TopicErr) == probe.Missing {
			return []Finding{missingEntity(conn, "topic "+topic, "not there", "EVENTS_TOPIC")}
		}
		return []Finding{q.unread("topic and subscription", conn, s.TopicErr)}
	}
	list := []Finding{CheckEventSize(q.config.Outbox.MaxEventBytes, s.Namespace, s.Topic)}
	list = append(list, CheckTopic(topic, s.Topic, TopicNeeds{Partitioned: q.config.Bus.Partitioned, SweepBudget: q.config.Outbox.SweepBudget})...)
	switch err := s.SubscriptionErr; {
	case subscription == "":
		return append(list, notAsked("subscription", subscriptionSetting))
	case err != nil && probe.Of(err) == probe.Missing:
		return append(list, missingEntity(conn, "subscription "+subscription, "not there", subscriptionSetting))
	case err != nil:
		return append(list, q.unread("subscription "+subscription, conn, err))
	}
	list = append(list, CheckSubscription(subscription, s.Subscription, SubscriptionNeeds{
		Hold: q.config.Inbox.Hold, EarlyWait: q.config.Inbox.EarlyWait, Deliveries: q.config.Inbox.Deliveries, Sessions: q.sessions, Emulator: admin.Emulator(conn),
	})...)
	if s.RulesErr != nil {
		return append(list, q.unread(subscription+" rules", conn, s.RulesErr))
	}
	return append(list, CheckRules(subscription, s.Rules))
}

// unread is about properties that could not be read. The app itself does not need to, so
// this is never refused.
func (q busQuestions) unread(subject string, conn servicebus.Connection, err error) Finding {
	place := admin.Place(conn)
	if admin.Emulator(conn) {
		if place = q.adminAddr; place == "" {
			place = admin.DefaultAddr(conn)
		}
	}
	f := CheckAccess(Access{Subject: subject, Place: place, Err: err, Role: readRole})
	f.Status, f.Found = Unknown, "not read: "+f.Found
	switch verdict := probe.Of(err); {
	case verdict == probe.NoAnswer && admin.Emulator(conn):
		f.Remedy = "name the emulator's administration port with --bus-admin HOST:PORT"
	case (verdict == probe.Unauthorized || verdict == probe.Forbidden) && conn.ConnectionString != "":
		f.Found = "not read: the key has no Manage right, or is wrong (" + err.Error() + ")"
		f.Remedy = "run doctor with a key that has it; the app itself needs Send and Listen only"
	}
	return f
}
