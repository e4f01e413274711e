package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/nats/jetstream"
)

// The brokers that events can go to.
const (
	ServiceBusBroker = "servicebus"
	JetStreamBroker  = "jetstream"
)

// NATS are the settings of an app whose events go to a stream of NATS JetStream. Whoever the app is
// stands in files.
type NATS struct {
	URL         string `env:"NATS_URL"`
	Credentials string `env:"NATS_CREDS"`
	Seed        string `env:"NATS_NKEY"`
	CA          string `env:"NATS_CA"`
	Certificate string `env:"NATS_CERT"`
	Key         string `env:"NATS_KEY"`
	Stream      string `env:"EVENTS_STREAM"`
	// Subject begins the subjects of events: SUBJECT.KIND.ID.
	Subject string `env:"EVENTS_SUBJECT" envDefault:"events"`
	// Consumer is the durable consumer that the app takes its events from; "": it consumes none.
	Consumer string `env:"EVENTS_CONSUMER"`
	// Letters begins the subjects of what the consumer gave up: LETTERS.CONSUMER.SUBJECT.KIND.ID.
	Letters string `env:"EVENTS_DEAD_LETTERS" envDefault:"dead-letters"`
}

// EventBroker is one of ServiceBusBroker and JetStreamBroker; "" for a name that is none.
func (c *Config) EventBroker() string {
	switch name := strings.ToLower(c.Broker); name {
	case ServiceBusBroker, JetStreamBroker:
		return name
	}
	return ""
}

// NATSConnection says how to reach the servers.
func (c *Config) NATSConnection() jetstream.Connection {
	n := c.NATS
	return jetstream.Connection{URLs: n.URL, Credentials: n.Credentials, Seed: n.Seed, CA: n.CA, Certificate: n.Certificate, Key: n.Key}
}

var (
	// natsName is what a stream and a durable consumer may be called (ADR-6 of NATS).
	natsName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
	// busName is what a subscription of Service Bus may be called.
	busName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$`)
	// natsPrefix is a subject without wildcards. A prefix of $ is the server's own.
	natsPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// CanBeSource says whether a subscription, or a durable consumer, of the chosen broker may have that name.
func (c *Config) CanBeSource(name string) bool {
	if c.EventBroker() == JetStreamBroker {
		return natsName.MatchString(name)
	}
	return busName.MatchString(name)
}

// brokerFaults are about the broker that is chosen; the settings of the other are nobody's business.
func (c *Config) brokerFaults() []error {
	switch c.EventBroker() {
	case ServiceBusBroker:
		return c.busFaults()
	case JetStreamBroker:
		return c.NATS.faults(c.NATSConnection())
	}
	return []error{fmt.Errorf("EVENTS_BROKER is %q: use %s or %s", c.Broker, ServiceBusBroker, JetStreamBroker)}
}

func (c *Config) busFaults() []error {
	var faults []error
	if err := c.BusConnection().Validate(); err != nil {
		faults = append(faults, fmt.Errorf("SERVICEBUS_CONNECTION is not usable: %w; in Azure set SERVICEBUS_CONNECTION__fullyQualifiedNamespace to NAME.servicebus.windows.net, for an emulator set SERVICEBUS_CONNECTION to its connection string", err))
	}
	if c.Bus.Topic == "" {
		faults = append(faults, fmt.Errorf("EVENTS_TOPIC is not set: name the topic that events go to"))
	}
	return faults
}

func (n *NATS) faults(conn jetstream.Connection) []error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	if err := conn.Validate(); err != nil {
		setting, remedy := n.Blamed()
		fault(true, "%s is not usable: %w; %s", setting, err, remedy)
	}
	fault(n.Stream == "", "EVENTS_STREAM is not set: name the stream that events go to")
	fault(n.Stream != "" && !natsName.MatchString(n.Stream), "EVENTS_STREAM is no name of a stream: letters, digits, - and _ are possible")
	fault(!natsPrefix.MatchString(n.Subject), "EVENTS_SUBJECT is no beginning of a subject: write words of letters, digits, - and _ with dots between them, for example events")
	fault(n.Consumer != "" && !natsName.MatchString(n.Consumer), "EVENTS_CONSUMER is no name of a durable consumer: letters, digits, - and _ are possible; leave it empty if another app consumes the events")
	fault(!natsPrefix.MatchString(n.Letters), "EVENTS_DEAD_LETTERS is no beginning of a subject: write words of letters, digits, - and _ with dots between them, for example dead-letters")
	fault(slices.Equal(strings.Split(n.Letters, ".")[:1], strings.Split(n.Subject, ".")[:1]), "EVENTS_DEAD_LETTERS begins like EVENTS_SUBJECT: the stream of events would take its own dead letters; name another first word")
	return faults
}

// Blamed is the setting that a fault of the connection is about, and what to do.
func (n *NATS) Blamed() (setting, remedy string) {
	if (jetstream.Connection{URLs: n.URL}).Validate() != nil {
		return "NATS_URL", "write tls://HOST:4222, with commas between several servers"
	}
	for _, alone := range []struct {
		setting string
		conn    jetstream.Connection
	}{
		{"NATS_CREDS", jetstream.Connection{Credentials: n.Credentials}}, {"NATS_NKEY", jetstream.Connection{Seed: n.Seed}}, {"NATS_CA", jetstream.Connection{CA: n.CA}},
		{"NATS_CERT", jetstream.Connection{Certificate: n.Certificate, Key: n.Certificate}}, {"NATS_KEY", jetstream.Connection{Certificate: n.Key, Key: n.Key}},
	} {
		if alone.conn.URLs = n.URL; alone.conn.Validate() != nil {
			return alone.setting, "put the text into a file, name that, and have a new secret made: settings are seen by many"
		}
	}
	switch {
	case n.Credentials != "" && n.Seed != "":
		return "NATS_CREDS", "keep one of NATS_CREDS and NATS_NKEY"
	case n.Certificate == "":
		return "NATS_CERT", "name the files of both, NATS_CERT and NATS_KEY, or of neither"
	}
	return "NATS_KEY", "name the files of both, NATS_CERT and NATS_KEY, or of neither"
}
