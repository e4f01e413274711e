package admin

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	sdk "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus"
)

// Options tunes Inspect; the zero value works.
type Options struct {
	// Addr is where an emulator serves its administration interface, host:port; default:
	// the connection's host with port 5300. Azure has its own place.
	Addr string
	// Credential is needed unless the connection is a connection string.
	Credential azcore.TokenCredential
	// Transport replaces the HTTP transport.
	Transport http.RoundTripper
}

// Sight is what Inspect saw. Its errors are judged: see package probe. An entity that is
// not there is probe.Missing.
type Sight struct {
	// Ahead is how far the namespace's clock is ahead of ours, if an answer told.
	Ahead      time.Duration
	ClockKnown bool

	Namespace       Namespace
	NamespaceErr    error
	Topic           Topic
	TopicErr        error
	Subscription    Subscription
	SubscriptionErr error
	Rules           []Rule // of the subscription
	RulesErr        error
}

// Inspect reads the properties of a topic and of one of its subscriptions.
func Inspect(ctx context.Context, conn servicebus.Connection, opts Options, topic, subscription string) Sight {
	base := opts.Transport
	if base == nil {
		own := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is what the standard library says
		defer own.CloseIdleConnections()
		base = own
	}
	clock := &probe.Clock{Base: base}
	client, err := open(conn, opts, clock)
	if err != nil {
		err = &probe.Error{Verdict: probe.Faulty, Err: err}
		return Sight{NamespaceErr: err, TopicErr: err, SubscriptionErr: err, RulesErr: err}
	}
	var s Sight
	var reads sync.WaitGroup
	reads.Go(func() { s.Namespace, s.NamespaceErr = readNamespace(ctx, client) })
	reads.Go(func() { s.Topic, s.TopicErr = readTopic(ctx, client, topic) })
	reads.Go(func() { s.Subscription, s.SubscriptionErr = readSubscription(ctx, client, topic, subscription) })
	reads.Go(func() { s.Rules, s.RulesErr = readRules(ctx, client, topic, subscription) })
	reads.Wait()
	s.Ahead, s.ClockKnown = clock.Ahead()
	return s
}

func open(conn servicebus.Connection, opts Options, transport policy.Transporter) (*sdk.Client, error) {
	if err := conn.Validate(); err != nil {
		return nil, err
	}
	if Emulator(conn) {
		addr := opts.Addr
		if addr == "" {
			addr = DefaultAddr(conn)
		}
		transport = PlainHTTP(addr, transport)
	}
	options := &sdk.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: transport,
		Retry:     policy.RetryOptions{MaxRetries: -1}, // the caller's time is short
		Telemetry: policy.TelemetryOptions{ApplicationID: "relaybox"},
	}}
	if conn.ConnectionString != "" {
		return sdk.NewClientFromConnectionString(conn.ConnectionString, options)
	}
	return sdk.NewClient(conn.Namespace, access.Mark(opts.Credential), options)
}

func readNamespace(ctx context.Context, c *sdk.Client) (Namespace, error) {
	resp, err := c.GetNamespaceProperties(ctx, nil)
	return Namespace{Name: resp.Name, SKU: resp.SKU}, probe.Judge(err)
}

func readTopic(ctx context.Context, c *sdk.Client, topic string) (Topic, error) {
	resp, err := c.GetTopic(ctx, topic, nil)
	if err != nil || resp == nil {
		return Topic{}, judgeEntity(err)
	}
	t, err := topicOf(&resp.TopicProperties)
	return t, faulty(err)
}

func readSubscription(ctx context.Context, c *sdk.Client, topic, subscription string) (Subscription, error) {
	resp, err := c.GetSubscription(ctx, topic, subscription, nil)
	if err != nil || resp == nil {
		return Subscription{}, judgeEntity(err)
	}
	s, err := subscriptionOf(&resp.SubscriptionProperties)
	return s, faulty(err)
}

func readRules(ctx context.Context, c *sdk.Client, topic, subscription string) ([]Rule, error) {
	var rules []Rule
	for pages := c.NewListRulesPager(topic, subscription, nil); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, probe.Judge(err)
		}
		for _, r := range page.Rules {
			rules = append(rules, ruleOf(r))
		}
	}
	return rules, nil
}
