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
	// json` prints; "" is local.settings.json if it is here, and the environment alone if not.
	Settings string
	// App is the assembled app folder; "" is dist/app if it is here.
	App string
	// BusAdmin is where an emulator of Service Bus serves its administration interface;
	// "" is port 5300 of the connection's host.
	BusAdmin string
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

	settings, err := readSettings(o.Settings, o.Environment)
	if err != nil {
		return Report{[]Group{{"Settings", []Finding{finding(Refused, "file", err.Error(), "name the right file with --settings")}}}}
	}
	c, _ := config.Load(settings.Values) // its faults are findings of CheckSettings
	who := o.identities()
	bus := busQuestions{config: c, subscription: settings.Values[subscriptionSetting], sessions: takesSessions(o.App, settings), adminAddr: strings.TrimPrefix(o.BusAdmin, "http://"), transport: o.Transport}
	report := Report{make([]Group, 5)}
	var checks sync.WaitGroup
	for i, check := range []func() Group{
		func() Group { return Group{"Settings of " + settings.Source, CheckSettings(settings)} },
		func() Group {
			return checkApp(o.App, settings, HostNeeds{Deadline: c.Deadline, Hold: c.Inbox.Hold, Waiting: c.Inbox.Waiting})
		},
		func() Group { return checkStorage(ctx, settings, who, o.Transport) },
		func() Group { return checkCosmos(ctx, c, who, o.Transport) },
		func() Group { return bus.ask(ctx, who) },
	} {
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
