package stack

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/local/minibus"
)

// Config says what to run. The zero value needs an App and runs everything in memory
// on free ports.
type Config struct {
	// App is the assembled folder that the host runs: see Assemble.
	App string
	// Functions is the folder whose functions say which subscriptions the bus has, beside the
	// one that Settings name; default App.
	Functions string
	// Data is the folder that keeps the state; "" keeps it in memory.
	Data string
	// Fresh forgets what Data holds first.
	Fresh bool
	// AcceptLoss opens damaged stores in Data with what is left of them.
	AcceptLoss bool
	// Only names the parts to run; none means all.
	Only []Part

	// Addresses to listen on; default 127.0.0.1 and a free port. BusAdminAddr is the
	// bus's administration REST and health check, served only when it is set.
	HostAddr, CosmosAddr, BusAddr, BusAdminAddr string
	// Hosts are names, besides localhost, that clients call the stack's servers by: under
	// others they are called by web pages. Addresses need not be listed.
	Hosts []string
	// CosmosTLS serves the store over https with a certificate made at start.
	CosmosTLS bool
	// CosmosRanges is how many physical ranges a new container has, 1 to 64; 0 means 1.
	CosmosRanges int
	// CosmosServerless makes the store a serverless account, in which nothing has a throughput.
	CosmosServerless bool

	// CosmosFront, when set, stands between the network and the store: to look at
	// requests, or to answer some of them otherwise.
	CosmosFront func(store http.Handler) http.Handler

	// Settings are the application settings. They go over Defaults; the connection
	// strings of parts that run here go over both.
	Settings map[string]string
	// Leave says which of the Settings, besides Defaults and connections, may stand in the data
	// folder while the stack runs: see Running. Nil: none.
	Leave func(name string) bool
	// Page is the URL of a page that shows the stack, to be left there, too; "": there is none.
	Page string
	// Broker is what the part Bus is; "" is ServiceBus.
	Broker Broker
	// StreamWait is how long the server of JetStream waits for what an instance has in hand; default 30 s.
	StreamWait time.Duration
	// Topology is the bus's; nil makes the topic and subscription that Settings name, and those
	// that functions wait for.
	Topology *minibus.Config
	// BusPremium makes the bus a namespace of the Premium tier: minibus.Options.Premium.
	BusPremium bool
	// BusEntityBytes is the quota of an entity of the bus that has none of its own; 0 means 1 GiB.
	BusEntityBytes int
	// Policies are further keys of the bus.
	Policies []minibus.Policy
	// BusWatch hears of each message of the bus: minibus.Options.Watch.
	BusWatch func(minibus.Passage)

	Logger *slog.Logger
	// HandlerOutput gets the handler's stdout and stderr, line by line; nil drops them.
	HandlerOutput io.Writer
	// Notice is told what a person should know: restarts of the host. Nil logs it.
	Notice func(string)
	// Progress is told every second of a long start what it is at. Nil: nobody is.
	Progress func(string)
}

// Part is one server of the stack.
type Part string

// The parts of a stack.
const (
	Cosmos Part = "cosmos"
	Bus    Part = "bus"
	Host   Part = "host"
	// BusAdmin is the bus's second port; it runs with Bus.
	BusAdmin Part = "bus-admin"
)

// ParsePart reads a name of a part.
func ParsePart(name string) (Part, error) {
	switch p := Part(name); p {
	case Cosmos, Bus, Host:
		return p, nil
	}
	return "", fmt.Errorf("%q is no part of the stack: use cosmos, bus or host", name)
}

func (c *Config) runs(p Part) bool {
	if len(c.Only) == 0 {
		return true
	}
	for _, only := range c.Only {
		if only == p {
			return true
		}
	}
	return false
}

// cacheOff turns RefreshCache off: it is for a cache that instances share.
const cacheOff = "AzureWebJobs.RefreshCache.Disabled"

// Defaults are the application settings of an app in this stack but for connections.
// They are the local.settings.json.example's, but for the sweep: a person in front of the
// screen does not wait for a minute. Settings replaces any of them.
func Defaults() map[string]string {
	return map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureWebJobsStorage":      "UseDevelopmentStorage=true",
		"COSMOS_DATABASE":          "relaybox",
		"COSMOS_OUTBOX_CONTAINER":  "entities",
		"COSMOS_INBOX_CONTAINER":   "views",
		"EVENTS_TOPIC":             "entity-events",
		"EVENTS_SUBSCRIPTION":      "read-models",
		"MAILING_SUBSCRIPTION":     "mailing-list",
		"CACHE_SUBSCRIPTION":       "read-cache",
		cacheOff:                   "true",
		"DISPATCH_SCHEDULE":        "*/10 * * * * *",
		"INBOX_SCHEDULE":           "30 * * * * *",
	}
}

func (c *Config) settings() map[string]string {
	s := Defaults()
	if c.Broker == JetStream {
		maps.Copy(s, streamDefaults())
	}
	maps.Copy(s, c.Settings)
	if c.Broker == JetStream {
		s["EVENTS_BROKER"] = string(JetStream)
	}
	return s
}

// Planned are the settings that the host will run with, to check them before anything runs:
// in connection strings of parts that are not there yet only the address may be another one.
func (c *Config) Planned() map[string]string {
	planned := &Stack{Settings: c.settings()}
	if c.runs(Cosmos) {
		planned.connect("COSMOS_CONNECTION", "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=a2V5")
	}
	switch {
	case c.runs(Bus) && c.Broker == JetStream:
		planned.connectStream("nats://127.0.0.1:4222")
	case c.runs(Bus):
		planned.connect("SERVICEBUS_CONNECTION", "Endpoint=sb://127.0.0.1;SharedAccessKeyName=name;SharedAccessKey=key;UseDevelopmentEmulator=true;")
	}
	return planned.Settings
}

func (c *Config) topology(settings map[string]string) (*minibus.Config, error) {
	if c.Topology != nil {
		return c.Topology, nil
	}
	var consumers []Subscription
	if folder := cmp.Or(c.Functions, c.App); folder != "" {
		var err error
		if consumers, err = Consumers(folder, settings); err != nil {
			return nil, err
		}
	}
	return Topology(settings["EVENTS_TOPIC"], settings["EVENTS_SUBSCRIPTION"], consumers...), nil
}

// checkTopology: a topic or subscription without a name would be refused by the broker, in
// words that do not say where the name comes from.
func (c *Config) checkTopology(settings map[string]string) error {
	if c.Topology != nil {
		return nil
	}
	for _, name := range []string{"EVENTS_TOPIC", "EVENTS_SUBSCRIPTION"} {
		if settings[name] == "" {
			return fmt.Errorf("setting %s is empty: give it a value, or leave it out for the default, %s", name, Defaults()[name])
		}
	}
	return nil
}

// connect puts the connection string of a part that runs here into the settings, over
// whatever the environment says about that connection, identity sections included.
func (s *Stack) connect(name, connectionString string) {
	for _, part := range []string{"accountEndpoint", "fullyQualifiedNamespace", "credential", "clientId"} {
		s.Settings[name+"__"+part] = ""
	}
	s.Settings[name] = connectionString
}
