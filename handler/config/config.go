// Package config is what the handler reads from its environment, once: every setting with
// its default, and every fault at once, each with its setting and the remedy. Package main
// builds the app from it; relaybox doctor asks the same questions ahead of a start.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/inbox"
)

// Config holds the application settings of the app. The port is no setting: see Port.
type Config struct {
	Cosmos struct {
		ConnectionString string `env:"COSMOS_CONNECTION"`
		Endpoint         string `env:"COSMOS_CONNECTION__accountEndpoint"`
		ClientID         string `env:"COSMOS_CONNECTION__clientId"`
		Credential       string `env:"COSMOS_CONNECTION__credential"`
		Database         string `env:"COSMOS_DATABASE"`
		Outbox           string `env:"COSMOS_OUTBOX_CONTAINER"`
		Inbox            string `env:"COSMOS_INBOX_CONTAINER"`
		// Own are the containers of kinds that do not share the two above:
		// KIND=OUTBOX/INBOX, with commas between kinds.
		Own string `env:"COSMOS_KIND_CONTAINERS"`
		// Consumers are the containers of further consumers: NAME=CONTAINER, with commas between
		// them. Who is not there has one of its own name.
		Consumers string `env:"COSMOS_CONSUMER_CONTAINERS"`
	}
	// Broker is where events go: see EventBroker.
	Broker string `env:"EVENTS_BROKER" envDefault:"servicebus"`
	NATS   NATS
	Bus    struct {
		ConnectionString string `env:"SERVICEBUS_CONNECTION"`
		Namespace        string `env:"SERVICEBUS_CONNECTION__fullyQualifiedNamespace"`
		ClientID         string `env:"SERVICEBUS_CONNECTION__clientId"`
		Credential       string `env:"SERVICEBUS_CONNECTION__credential"`
		Topic            string `env:"EVENTS_TOPIC"`
		Subscription     string `env:"EVENTS_SUBSCRIPTION"` // its binding is the host's; ours is to name it
		Partitioned      bool   `env:"EVENTS_TOPIC_PARTITIONED"`
	}
	// ReadCache answers reads that say how old their answer may be.
	ReadCache struct {
		// Name is off, memory or redis; "" is redis where Redis is set, else memory.
		Name  string        `env:"RELAYBOX_READ_CACHE"`
		Bytes int           `env:"RELAYBOX_READ_CACHE_BYTES" envDefault:"16777216"` // of memory
		Life  time.Duration `env:"RELAYBOX_READ_CACHE_LIFE" envDefault:"5m"`
		// Prefix begins every key of Redis; "" is made of the account and the database.
		Prefix string `env:"RELAYBOX_READ_CACHE_PREFIX"`
	}
	Redis struct {
		URL        string `env:"REDIS_CONNECTION"`
		Host       string `env:"REDIS_CONNECTION__redisHostName"`
		ClientID   string `env:"REDIS_CONNECTION__clientId"`
		Credential string `env:"REDIS_CONNECTION__credential"`
		Principal  string `env:"REDIS_CONNECTION__principalId"`
	}
	Outbox struct {
		Source         string        `env:"RELAYBOX_SOURCE" envDefault:"/relaybox"`
		FastPathBudget time.Duration `env:"RELAYBOX_FASTPATH_BUDGET" envDefault:"5s"`
		FastPathQueue  int           `env:"RELAYBOX_FASTPATH_QUEUE" envDefault:"1024"`
		OrphanLook     time.Duration `env:"RELAYBOX_ORPHAN_LOOK" envDefault:"1s"`
		SweepBudget    time.Duration `env:"RELAYBOX_SWEEP_BUDGET" envDefault:"25s"`
		SweepParallel  int           `env:"RELAYBOX_SWEEP_PARALLEL" envDefault:"16"`
		Attempts       int           `env:"RELAYBOX_PARK_AFTER" envDefault:"3"`
		SkipParked     bool          `env:"RELAYBOX_SKIP_PARKED"`
		MaxEventBytes  int           `env:"RELAYBOX_MAX_EVENT_BYTES" envDefault:"245760"`
	}
	Inbox struct {
		Gaps string        `env:"RELAYBOX_GAP_POLICY" envDefault:"snapshot"`
		Hold time.Duration `env:"RELAYBOX_INBOX_HOLD" envDefault:"25m"`
		// Wait is in memory, for at most Waiting events at a time; EarlyWait is in the store.
		Wait      time.Duration `env:"RELAYBOX_INBOX_WAIT" envDefault:"1s"`
		Waiting   int           `env:"RELAYBOX_INBOX_WAITING" envDefault:"64"`
		EarlyWait time.Duration `env:"RELAYBOX_EARLY_WAIT" envDefault:"3m"`
		Anywhere  bool          `env:"RELAYBOX_START_ANYWHERE"`
		// Deliveries is the subscription's maxDeliveryCount, or the delivery from which on the app makes a dead letter of a stream's refused message.
		Deliveries int `env:"RELAYBOX_MAX_DELIVERIES" envDefault:"100"`
	}
	// Health are the thresholds above which GET /api/health is red.
	Health struct {
		Oldest      time.Duration `env:"RELAYBOX_HEALTH_OLDEST" envDefault:"5m"`
		Parked      int           `env:"RELAYBOX_HEALTH_PARKED" envDefault:"0"`
		DeadLetters int           `env:"RELAYBOX_HEALTH_DEAD_LETTERS" envDefault:"0"`
	}
	Deadline time.Duration `env:"RELAYBOX_INVOCATION_DEADLINE" envDefault:"28m"`
	// CacheBytes bounds what is kept of documents that were read or written last; 0 for nothing.
	CacheBytes int        `env:"RELAYBOX_CACHE_BYTES" envDefault:"8388608"`
	LogLevel   slog.Level `env:"RELAYBOX_LOG_LEVEL" envDefault:"INFO"`

	// named are settings whose names only functions know: see Subscription and Off.
	named map[string]string
}

// HealthCount is how many a look for GET /api/health counts of each state at most, so that it
// stays cheap whatever waits.
const HealthCount = 1000

// Load reads and checks the settings. Its error joins one error for every fault, which
// begins with the setting's name; no value of a setting that may hold a secret is in it.
func Load(environment map[string]string) (Config, error) {
	c := Config{named: map[string]string{}}
	for setting, value := range environment {
		if isNamed(setting) {
			c.named[setting] = value
		}
	}
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

// Faults takes a list of faults apart.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	if list, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only the outermost join is a list of faults
		return list.Unwrap()
	}
	return []error{err}
}

// parse fills c and returns a fault for each setting that cannot be read.
func parse(c *Config, environment map[string]string) (map[string]error, error) {
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
		setting := settingOf(reflect.TypeFor[Config](), field.Name)
		unreadable[setting] = fmt.Errorf("%s cannot be read: %w; durations are written like 30s or 4m30s, switches true or false, numbers in digits, levels DEBUG, INFO, WARN or ERROR", setting, field.Err)
	}
	return unreadable, nil
}

// settingOf returns the setting that a field of Config is read from: the library's
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

// Names are the settings that Load reads.
func Names() []string { return names(reflect.TypeFor[Config]()) }

func names(t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		if name := f.Tag.Get("env"); name != "" {
			all = append(all, name)
		} else if f.Type.Kind() == reflect.Struct {
			all = append(all, names(f.Type)...)
		}
	}
	return all
}

// Port is where the host expects the handler to listen.
func Port(environment map[string]string) (int, error) {
	const setting = "FUNCTIONS_CUSTOMHANDLER_PORT"
	port, err := strconv.Atoi(environment[setting])
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%s is %q, which is no port: the Functions host sets it; start the app with `relaybox up` or `func start`, not by hand", setting, environment[setting])
	}
	return port, nil
}

func (c *Config) faults() []error {
	var faults []error
	fault := func(wrong bool, setting, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("%s %s", setting, fmt.Sprintf(format, args...)))
		}
	}
	needs := func(value, setting, what string) { fault(value == "", setting, "is not set: %s", what) }

	if err := c.CosmosConnection().Validate(); err != nil {
		fault(true, "COSMOS_CONNECTION", "is not usable: %v; in Azure set COSMOS_CONNECTION__accountEndpoint to the account's URL, for an emulator set COSMOS_CONNECTION to its connection string", err)
	}
	needs(c.Cosmos.Database, "COSMOS_DATABASE", "name the database")
	needs(c.Cosmos.Outbox, "COSMOS_OUTBOX_CONTAINER", "name the container of the entities and their events")
	needs(c.Cosmos.Inbox, "COSMOS_INBOX_CONTAINER", "name the container of the read models")
	named := func(name, setting string) {
		if err := misnamed(name); err != nil { // perhaps a connection string, so it is not repeated
			fault(true, setting, "is no name that the store takes: %v", err)
		}
	}
	named(c.Cosmos.Database, "COSMOS_DATABASE")
	named(c.Cosmos.Outbox, "COSMOS_OUTBOX_CONTAINER")
	named(c.Cosmos.Inbox, "COSMOS_INBOX_CONTAINER")
	fault(c.Cosmos.Inbox != "" && c.Cosmos.Inbox == c.Cosmos.Outbox, "COSMOS_INBOX_CONTAINER", "is the same as COSMOS_OUTBOX_CONTAINER: the consumer owns a container of its own")
	for _, err := range c.ownFaults() {
		fault(true, "COSMOS_KIND_CONTAINERS", "is %s: %v; write KIND=OUTBOX/INBOX, for example invoice=invoices/invoice-views, with commas between kinds", shown(c.Cosmos.Own), err)
	}
	for _, err := range c.consumerFaults() {
		fault(true, "COSMOS_CONSUMER_CONTAINERS", "is %s: %v; write NAME=CONTAINER, for example mailing-list=mailing-list, with commas between consumers", shown(c.Cosmos.Consumers), err)
	}
	faults = append(faults, c.brokerFaults()...)
	fault(c.Policy() < 0, "RELAYBOX_GAP_POLICY", "is %q: use snapshot or strict", c.Inbox.Gaps)
	fault(c.Deadline <= 0, "RELAYBOX_INVOCATION_DEADLINE", "is %v: it must be above zero and below functionTimeout in host.json", c.Deadline)
	fault(c.Inbox.Hold <= 0 || c.Inbox.Hold >= c.Deadline, "RELAYBOX_INBOX_HOLD", "is %v: it must be above zero and below RELAYBOX_INVOCATION_DEADLINE (%v)", c.Inbox.Hold, c.Deadline)
	fault(c.Outbox.SweepBudget <= 0 || c.Outbox.SweepBudget >= c.Deadline, "RELAYBOX_SWEEP_BUDGET", "is %v: it must be above zero and below RELAYBOX_INVOCATION_DEADLINE (%v)", c.Outbox.SweepBudget, c.Deadline)
	fault(c.Outbox.FastPathBudget <= 0, "RELAYBOX_FASTPATH_BUDGET", "is %v: it must be above zero", c.Outbox.FastPathBudget)
	fault(c.Outbox.FastPathQueue < 1, "RELAYBOX_FASTPATH_QUEUE", "is %d: it must be at least 1", c.Outbox.FastPathQueue)
	fault(c.Outbox.OrphanLook < 100*time.Millisecond || c.Outbox.OrphanLook > time.Minute, "RELAYBOX_ORPHAN_LOOK", "is %v: it must be from 100ms to 1m", c.Outbox.OrphanLook)
	fault(c.Outbox.SweepParallel < 1, "RELAYBOX_SWEEP_PARALLEL", "is %d: it must be at least 1", c.Outbox.SweepParallel)
	// The tries are up to 15 s apart, and the key waits.
	fault(c.Outbox.Attempts < 2 || c.Outbox.Attempts > 10, "RELAYBOX_PARK_AFTER", "is %d, and one refusal does not tell a message from a destination that refuses everything: it must be from 2 to 10", c.Outbox.Attempts)
	fault(c.Outbox.MaxEventBytes < 1024, "RELAYBOX_MAX_EVENT_BYTES", "is %d: it must be at least 1024", c.Outbox.MaxEventBytes)
	fault(c.CacheBytes < 0, "RELAYBOX_CACHE_BYTES", "is %d: it must be at least 0, which keeps nothing", c.CacheBytes)
	cached := c.CacheOfReads()
	fault(cached == "", "RELAYBOX_READ_CACHE", "is %q: use off, memory or redis", c.ReadCache.Name)
	fault(c.ReadCache.Bytes < 1, "RELAYBOX_READ_CACHE_BYTES", "is %d: it must be at least 1; for no cache set RELAYBOX_READ_CACHE to off", c.ReadCache.Bytes)
	fault(c.ReadCache.Life < time.Second || c.ReadCache.Life > 24*time.Hour, "RELAYBOX_READ_CACHE_LIFE", "is %v: it must be from 1s to 24h", c.ReadCache.Life)
	if err := c.RedisConnection().Validate(); cached == RedisCache && err != nil {
		fault(true, "REDIS_CONNECTION", "is not usable: %v; in Azure set REDIS_CONNECTION__redisHostName to NAME.REGION.redis.azure.net, for another server set REDIS_CONNECTION to its URL", err)
	}
	fault(c.Inbox.Wait <= 0, "RELAYBOX_INBOX_WAIT", "is %v: it must be above zero", c.Inbox.Wait)
	fault(c.Inbox.Waiting < 1, "RELAYBOX_INBOX_WAITING", "is %d: it must be at least 1, and at most half of maxConcurrentCalls in host.json", c.Inbox.Waiting)
	fault(c.Inbox.EarlyWait < c.Inbox.Wait, "RELAYBOX_EARLY_WAIT", "is %v: it must be longer than the lock of the subscription, and at least RELAYBOX_INBOX_WAIT (%v)", c.Inbox.EarlyWait, c.Inbox.Wait)
	fault(c.Inbox.Deliveries < 1, "RELAYBOX_MAX_DELIVERIES", "is %d: it must be at least 1, and maxDeliveryCount of the subscription", c.Inbox.Deliveries)
	fault(c.Health.Oldest < time.Second, "RELAYBOX_HEALTH_OLDEST", "is %v: it must be at least 1s; the fast path alone may take RELAYBOX_FASTPATH_BUDGET (%v)", c.Health.Oldest, c.Outbox.FastPathBudget)
	fault(c.Health.Parked < 0 || c.Health.Parked >= HealthCount, "RELAYBOX_HEALTH_PARKED", "is %d: it must be from 0 to %d, because more are not counted", c.Health.Parked, HealthCount-1)
	fault(c.Health.DeadLetters < 0 || c.Health.DeadLetters >= HealthCount, "RELAYBOX_HEALTH_DEAD_LETTERS", "is %d: it must be from 0 to %d, because more are not counted", c.Health.DeadLetters, HealthCount-1)
	return faults
}

// CosmosConnection says how to reach the account.
func (c *Config) CosmosConnection() cosmos.Connection {
	return cosmos.Connection{
		ConnectionString: c.Cosmos.ConnectionString, Endpoint: c.Cosmos.Endpoint,
		ClientID: c.Cosmos.ClientID, Credential: c.Cosmos.Credential,
	}
}

// BusConnection says how to reach the namespace.
func (c *Config) BusConnection() servicebus.Connection {
	return servicebus.Connection{
		ConnectionString: c.Bus.ConnectionString, Namespace: c.Bus.Namespace,
		ClientID: c.Bus.ClientID, Credential: c.Bus.Credential,
	}
}

// RedisConnection says how to reach the cache that instances share.
func (c *Config) RedisConnection() redis.Connection {
	return redis.Connection{URL: c.Redis.URL, Host: c.Redis.Host, ClientID: c.Redis.ClientID, Credential: c.Redis.Credential, Principal: c.Redis.Principal}
}

// The caches of reads.
const (
	NoCache     = "off"
	MemoryCache = "memory"
	RedisCache  = "redis"
)

// CacheOfReads is one of NoCache, MemoryCache and RedisCache; "" for a name that is none.
func (c *Config) CacheOfReads() string {
	switch name := strings.ToLower(c.ReadCache.Name); name {
	case NoCache, MemoryCache, RedisCache:
		return name
	case "":
		if c.Redis.URL != "" || c.Redis.Host != "" {
			return RedisCache
		}
		return MemoryCache
	}
	return ""
}

// Policy is what the consumer does about a gap; -1 for a name that is none.
func (c *Config) Policy() inbox.Policy {
	switch strings.ToLower(c.Inbox.Gaps) {
	case "snapshot":
		return inbox.Snapshot
	case "strict":
		return inbox.Strict
	}
	return -1
}
