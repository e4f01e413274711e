package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/inbox"
)

// config is everything that the handler reads from its environment, once.
type config struct {
	Port int `env:"FUNCTIONS_CUSTOMHANDLER_PORT"`

	Cosmos struct {
		ConnectionString string `env:"COSMOS_CONNECTION"`
		Endpoint         string `env:"COSMOS_CONNECTION__accountEndpoint"`
		ClientID         string `env:"COSMOS_CONNECTION__clientId"`
		Credential       string `env:"COSMOS_CONNECTION__credential"`
		Database         string `env:"COSMOS_DATABASE"`
		Outbox           string `env:"COSMOS_OUTBOX_CONTAINER"`
		Inbox            string `env:"COSMOS_INBOX_CONTAINER"`
	}
	Bus struct {
		ConnectionString string `env:"SERVICEBUS_CONNECTION"`
		Namespace        string `env:"SERVICEBUS_CONNECTION__fullyQualifiedNamespace"`
		ClientID         string `env:"SERVICEBUS_CONNECTION__clientId"`
		Credential       string `env:"SERVICEBUS_CONNECTION__credential"`
		Topic            string `env:"EVENTS_TOPIC"`
		Partitioned      bool   `env:"EVENTS_TOPIC_PARTITIONED"`
	}
	Outbox struct {
		Source         string        `env:"RELAYBOX_SOURCE" envDefault:"/relaybox/profiles"`
		FastPathBudget time.Duration `env:"RELAYBOX_FASTPATH_BUDGET" envDefault:"5s"`
		FastPathQueue  int           `env:"RELAYBOX_FASTPATH_QUEUE" envDefault:"1024"`
		SweepBudget    time.Duration `env:"RELAYBOX_SWEEP_BUDGET" envDefault:"25s"`
		SweepParallel  int           `env:"RELAYBOX_SWEEP_PARALLEL" envDefault:"16"`
		Attempts       int           `env:"RELAYBOX_PARK_AFTER" envDefault:"3"`
		SkipParked     bool          `env:"RELAYBOX_SKIP_PARKED"`
		MaxEventBytes  int           `env:"RELAYBOX_MAX_EVENT_BYTES" envDefault:"245760"`
	}
	Inbox struct {
		Gaps    string        `env:"RELAYBOX_GAP_POLICY" envDefault:"snapshot"`
		Hold    time.Duration `env:"RELAYBOX_INBOX_HOLD" envDefault:"4m"`
		Receipt time.Duration `env:"RELAYBOX_INBOX_RETENTION" envDefault:"168h"`
	}
	Deadline time.Duration `env:"RELAYBOX_INVOCATION_DEADLINE" envDefault:"4m30s"`
	LogLevel slog.Level    `env:"RELAYBOX_LOG_LEVEL" envDefault:"INFO"`
}

// load reads and checks the configuration. Its error names every fault at once, each
// with its setting and the remedy; no value of a setting that may hold a secret is in it.
func load(environment map[string]string) (config, error) {
	var c config
	unreadable, err := parse(&c, environment)
	if err != nil {
		return c, err
	}
	faults := c.faults()
	for setting, fault := range unreadable {
		// What could not be read is not also out of range.
		faults = slices.DeleteFunc(faults, func(err error) bool { return strings.HasPrefix(err.Error(), setting+" ") })
		faults = append(faults, fault)
	}
	return c, errors.Join(faults...)
}

// parse fills c and returns a fault for each setting that cannot be read.
func parse(c *config, environment map[string]string) (map[string]error, error) {
	err := env.ParseWithOptions(c, env.Options{Environment: environment})
	all, ok := errors.AsType[env.AggregateError](err)
	if err != nil && !ok {
		return nil, err
	}
	unreadable := map[string]error{}
	for _, err := range all.Errors {
		field, ok := errors.AsType[env.ParseError](err)
		if !ok {
			return nil, err
		}
		setting := settingOf(reflect.TypeFor[config](), field.Name)
		unreadable[setting] = fmt.Errorf("%s cannot be read: %w; durations are written like 30s or 4m30s, switches true or false, numbers in digits, levels DEBUG, INFO, WARN or ERROR", setting, field.Err)
	}
	return unreadable, nil
}

// settingOf returns the setting that a field of config is read from: the library's
// errors name the field.
func settingOf(t reflect.Type, field string) string {
	for f := range t.Fields() {
		if f.Name == field && f.Tag.Get("env") != "" {
			return f.Tag.Get("env")
		}
		if f.Type.Kind() == reflect.Struct {
			if name := settingOf(f.Type, field); name != "" {
				return name
			}
		}
	}
	return ""
}

func (c *config) faults() []error {
	var faults []error
	fault := func(wrong bool, setting, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("%s %s", setting, fmt.Sprintf(format, args...)))
		}
	}
	needs := func(value, setting, what string) { fault(value == "", setting, "is not set: %s", what) }

	fault(c.Port < 1 || c.Port > 65535, "FUNCTIONS_CUSTOMHANDLER_PORT", "is missing or no port: the Functions host sets it; start the app with `relaybox up` or `func start`, not by hand")
	if err := c.cosmos().Validate(); err != nil {
		fault(true, "COSMOS_CONNECTION", "is not usable: %v; in Azure set COSMOS_CONNECTION__accountEndpoint to the account's URL, for an emulator set COSMOS_CONNECTION to its connection string", err)
	}
	if err := c.bus().Validate(); err != nil {
		fault(true, "SERVICEBUS_CONNECTION", "is not usable: %v; in Azure set SERVICEBUS_CONNECTION__fullyQualifiedNamespace to NAME.servicebus.windows.net, for an emulator set SERVICEBUS_CONNECTION to its connection string", err)
	}
	needs(c.Cosmos.Database, "COSMOS_DATABASE", "name the database")
	needs(c.Cosmos.Outbox, "COSMOS_OUTBOX_CONTAINER", "name the container of profiles and their events")
	needs(c.Cosmos.Inbox, "COSMOS_INBOX_CONTAINER", "name the container of the read models")
	fault(c.Cosmos.Inbox != "" && c.Cosmos.Inbox == c.Cosmos.Outbox, "COSMOS_INBOX_CONTAINER", "is the same as COSMOS_OUTBOX_CONTAINER: the consumer owns a container of its own")
	needs(c.Bus.Topic, "EVENTS_TOPIC", "name the topic that events go to")
	fault(c.policy() < 0, "RELAYBOX_GAP_POLICY", "is %q: use snapshot or strict", c.Inbox.Gaps)
	fault(c.Deadline <= 0, "RELAYBOX_INVOCATION_DEADLINE", "is %v: it must be above zero and below functionTimeout in host.json", c.Deadline)
	fault(c.Inbox.Hold <= 0 || c.Inbox.Hold >= c.Deadline, "RELAYBOX_INBOX_HOLD", "is %v: it must be above zero and below RELAYBOX_INVOCATION_DEADLINE (%v)", c.Inbox.Hold, c.Deadline)
	fault(c.Outbox.SweepBudget <= 0 || c.Outbox.SweepBudget >= c.Deadline, "RELAYBOX_SWEEP_BUDGET", "is %v: it must be above zero and below RELAYBOX_INVOCATION_DEADLINE (%v)", c.Outbox.SweepBudget, c.Deadline)
	fault(c.Outbox.FastPathBudget <= 0, "RELAYBOX_FASTPATH_BUDGET", "is %v: it must be above zero", c.Outbox.FastPathBudget)
	fault(c.Outbox.FastPathQueue < 1, "RELAYBOX_FASTPATH_QUEUE", "is %d: it must be at least 1", c.Outbox.FastPathQueue)
	fault(c.Outbox.SweepParallel < 1, "RELAYBOX_SWEEP_PARALLEL", "is %d: it must be at least 1", c.Outbox.SweepParallel)
	// Attempts are counted within one drain, whose waits must fit the fast path's budget.
	fault(c.Outbox.Attempts < 1 || c.Outbox.Attempts > 6, "RELAYBOX_PARK_AFTER", "is %d: it must be from 1 to 6", c.Outbox.Attempts)
	fault(c.Outbox.MaxEventBytes < 1024, "RELAYBOX_MAX_EVENT_BYTES", "is %d: it must be at least 1024", c.Outbox.MaxEventBytes)
	fault(c.Inbox.Receipt < time.Hour, "RELAYBOX_INBOX_RETENTION", "is %v: it must be longer than the broker's duplicate detection window, an hour at the least", c.Inbox.Receipt)
	return faults
}

func (c *config) cosmos() cosmos.Connection {
	return cosmos.Connection{
		ConnectionString: c.Cosmos.ConnectionString, Endpoint: c.Cosmos.Endpoint,
		ClientID: c.Cosmos.ClientID, Credential: c.Cosmos.Credential,
	}
}

func (c *config) bus() servicebus.Connection {
	return servicebus.Connection{
		ConnectionString: c.Bus.ConnectionString, Namespace: c.Bus.Namespace,
		ClientID: c.Bus.ClientID, Credential: c.Bus.Credential,
	}
}

// policy is -1 for a name that is none.
func (c *config) policy() inbox.Policy {
	switch strings.ToLower(c.Inbox.Gaps) {
	case "snapshot":
		return inbox.Snapshot
	case "strict":
		return inbox.Strict
	}
	return -1
}
