package doctor

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/relaybox/relaybox/handler/config"
)

// Options says what to check; the zero value works.
type Options struct {
	// Settings is a local.settings.json, or what `az functionapp config appsettings list -o
	// json` prints; "" is what relaybox up runs with, if it does, or else local.settings.json,
	// or else the environment alone.
	Settings string
	// Home is where local.settings.json and dist/app are looked for, "" for the working
	// folder; Data is the data folder of a relaybox up, "" for .relaybox in Home.
	Home, Data string
	// App is the assembled app folder; "" is the one that relaybox up runs, or dist/app if it is there.
	App string
	// BusAdmin is where an emulator of Service Bus serves its administration interface;
	// "" is relaybox up's, or port 5300 of the connection's host.
	BusAdmin string
	// Subscription is the one that Consumer finds; "" is EVENTS_SUBSCRIPTION's.
	Subscription string
	// ManagedIdentity uses the app's identity instead of the signed-in person's.
	ManagedIdentity bool
	// Timeout bounds everything; default 30 s. No service gets more than 15 s of it.
	Timeout time.Duration

	// Environment goes over the settings; nil is the process's.
	Environment map[string]string
	// Credential replaces the identity, Transport the HTTP transport, for tests.
	Credential azcore.TokenCredential
	Transport  http.RoundTripper
}

// questionTime bounds what is asked of one service.
const questionTime = 15 * time.Second

// Run checks a set-up, all services at once.
func Run(ctx context.Context, o Options) Report {
	if o.Timeout <= 0 {
		o.Timeout = 2 * questionTime
	}
	if o.Environment == nil {
		o.Environment = environment()
	}
	ctx, cancel := context.WithTimeout(ctx, min(o.Timeout, questionTime))
	defer cancel()

	settings, err := o.read()
	if err != nil {
		return Report{[]Group{{"Settings", []Finding{finding(Refused, "file", err.Error(), "name the right file with --settings")}}}}
	}
	if o.App == "" {
		o.App = settings.app
	}
	if o.BusAdmin == "" {
		o.BusAdmin = settings.busAdmin
	}
	c, _ := config.Load(settings.Values) // its faults are findings of CheckSettings
	who := o.identities()
	bus := busQuestions{config: c, consumers: furtherConsumers(c, o, settings), subscription: settings.Values[subscriptionSetting],
		sessions: takesSessions(o.App, o.Home, settings, settings.Values[subscriptionSetting]), adminAddr: strings.TrimPrefix(o.BusAdmin, "http://"), transport: o.Transport}
	questions := []func() Group{
		func() Group { return Group{settings.title(), CheckSettings(settings)} },
		func() Group {
			return checkApp(o.App, o.Home, settings, HostNeeds{Deadline: c.Deadline, Hold: c.Inbox.Hold, Waiting: c.Inbox.Waiting, Stream: c.EventBroker() == config.JetStreamBroker})
		},
		func() Group { return checkStorage(ctx, settings, who, o.Transport) },
		func() Group { return checkCosmos(ctx, c, who, o.Transport) },
		func() Group {
			if c.EventBroker() == config.JetStreamBroker {
				return checkNATS(ctx, c, bus.consumers)
			}
			return bus.ask(ctx, who)
		},
	}
	if c.CacheOfReads() == config.RedisCache {
		questions = append(questions, func() Group { return checkReads(ctx, c, who) })
	}
	report := Report{make([]Group, len(questions))}
	var checks sync.WaitGroup
	for i, check := range questions {
		checks.Go(func() { report.Groups[i] = check() })
	}
	checks.Wait()
	return report
}

func environment() map[string]string {
	values := map[string]string{}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			values[name] = value
		}
	}
	return values
}
