package doctor

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/nats/jetstream"
	"github.com/relaybox/relaybox/outbox"
)

// checkNATS asks the server what stream and consumer are like, with the app's own credentials.
func checkNATS(ctx context.Context, c config.Config, consumers []further) Group {
	g := Group{Name: "NATS"}
	conn := c.NATSConnection()
	if conn.Validate() != nil {
		setting, _ := c.NATS.Blamed()
		g.Findings = []Finding{notAsked("stream", setting)}
		return g
	}
	if c.NATS.Stream == "" {
		g.Findings = []Finding{notAsked("stream", "EVENTS_STREAM")}
		return g
	}
	g.Name += " " + conn.URLs
	client := jetstream.Open(conn, jetstream.Options{SendTimeout: questionTime / 2})
	defer func() { _ = client.Close(ctx) }()
	n := streamNeeds(c)
	var err error
	if n.MaxPayload, err = client.MaxPayload(ctx); err != nil {
		g.Findings = []Finding{n.unreachable("connection", conn.URLs, err)}
		return g
	}
	g.Findings = append(g.Findings, ok("connection", "accepted"))
	stream, err := client.Inspect(ctx, n.Stream)
	if err != nil {
		g.Findings = append(g.Findings, n.missing("stream "+n.Stream, conn.URLs, "EVENTS_STREAM", n.add(), err))
		return g
	}
	g.Findings = append(g.Findings, about("stream "+n.Stream, CheckStream(stream, n))...)
	consumers = slices.DeleteFunc(slices.Clone(consumers), func(f further) bool { return f.subscription == "" })
	if n.Consumer != "" || len(consumers) > 0 {
		g.Findings = append(g.Findings, n.peek(ctx, client, conn.URLs))
	}
	if n.Consumer != "" {
		g.Findings = append(g.Findings, n.ofConsumer(ctx, client, conn.URLs, "EVENTS_CONSUMER")...)
	}
	for _, f := range consumers {
		of := n
		of.Consumer, of.Further = f.subscription, true
		g.Findings = append(g.Findings, of.ofConsumer(ctx, client, conn.URLs, f.setting)...)
	}
	return g
}

// peek asks for a message as health does, which tells how long the oldest has waited.
func (n StreamNeeds) peek(ctx context.Context, client *jetstream.Client, urls string) Finding {
	subject := "stream " + n.Stream + " messages"
	if err := client.Peek(ctx, n.Stream); err != nil {
		return n.unreachable(subject, urls, err)
	}
	return ok(subject, "health may look how long they wait")
}

// ofConsumer is about a durable consumer and its dead letters.
func (n StreamNeeds) ofConsumer(ctx context.Context, client *jetstream.Client, urls, setting string) (list []Finding) {
	if n.Further {
		setting += ", or leave it empty: the app does without that consumer then"
	}
	if durable, err := client.InspectConsumer(ctx, n.Stream, n.Consumer); err != nil {
		list = append(list, n.missing("consumer "+n.Consumer, urls, setting, n.addConsumer(), err))
	} else {
		list = append(list, about("consumer "+n.Consumer, CheckDurable(durable, n))...)
	}
	if letters, err := client.InspectLetters(ctx, n.Letters, n.Consumer); err != nil {
		list = append(list, n.missing("dead letters of "+n.Consumer, urls, "EVENTS_DEAD_LETTERS", n.addLetters(), err))
	} else {
		list = append(list, about(n.Consumer, CheckLetters(letters, n))...)
	}
	return list
}

func streamNeeds(c config.Config) StreamNeeds {
	return StreamNeeds{
		Stream: c.NATS.Stream, Subject: c.NATS.Subject, Consumer: c.NATS.Consumer, Letters: c.NATS.Letters,
		SweepBudget: c.Outbox.SweepBudget, EarlyWait: c.Inbox.EarlyWait, InFlight: 2 * c.Inbox.Waiting, MaxEvent: c.Outbox.MaxEventBytes,
		Local: onThisMachine(c.NATS.URL),
	}
}

// about names what the findings are about.
func about(name string, list []Finding) []Finding {
	for i := range list {
		list[i].Subject = name + " " + list[i].Subject
	}
	return list
}

// missing is about a question that has no answer; add makes what is not there.
func (n StreamNeeds) missing(subject, urls, setting, add string, err error) Finding {
	if errors.Is(err, js.ErrStreamNotFound) || errors.Is(err, js.ErrConsumerNotFound) {
		return finding(Refused, subject, "not there", add+", or correct "+setting)
	}
	return n.unreachable(subject, urls, err)
}

// unreachable judges why a question has no answer. What the app may not ask it may not do, either.
func (n StreamNeeds) unreachable(subject, urls string, err error) Finding {
	found := reason(err.Error())
	switch outbox.ClassOf(err) {
	case outbox.Unauthorized:
		return finding(Refused, subject, "the server does not let this user in, or not ask: "+found, "set NATS_CREDS or NATS_NKEY to the app's file, and give the user the rights that docs/brokers.md lists")
	case outbox.Unavailable, outbox.Timeout, outbox.Ambiguous:
		if n.Local {
			return finding(Refused, subject, "nothing answers at "+urls+" ("+found+")", "start the server with JetStream on, or relaybox up --broker jetstream")
		}
	}
	return finding(Unknown, subject, urls+" does not answer ("+found+")", "check NATS_URL and the network; behind a private endpoint run doctor inside that network")
}

// onThisMachine says whether all servers are on this machine.
func onThisMachine(urls string) bool {
	for text := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || !loopback(u.Hostname()) {
			return false
		}
	}
	return true
}
