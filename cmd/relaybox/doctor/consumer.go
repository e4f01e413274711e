package doctor

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/nats/jetstream"
)

// Consumer is where the app receives, and how the person at the command line gets there.
type Consumer struct {
	Connection          servicebus.Connection
	Credential          azcore.TokenCredential // nil: the connection has a key
	Topic, Subscription string
}

// ErrStream: the app has no subscription, because its events go to a stream. Look at that with the nats
// tool, as docs/brokers.md says.
var ErrStream = errors.New("EVENTS_BROKER is jetstream, and this looks at Service Bus: dead letters are in a stream, for the nats tool (docs/brokers.md)")

// Consumer finds the settings as Run does, for verbs that work on what they name. Settings of
// other services may be wrong.
func (o Options) Consumer() (Consumer, error) {
	if o.Environment == nil {
		o.Environment = environment()
	}
	settings, err := o.read()
	if err != nil {
		return Consumer{}, err
	}
	loaded, _ := config.Load(settings.Values) // faults of what is needed are found below
	c := Consumer{Connection: loaded.BusConnection(), Topic: loaded.Bus.Topic, Subscription: cmp.Or(o.Subscription, settings.Values[subscriptionSetting])}
	fault := ""
	if loaded.EventBroker() == config.JetStreamBroker {
		return Consumer{}, ErrStream
	}
	if err := c.Connection.Validate(); err != nil {
		fault = "SERVICEBUS_CONNECTION: " + err.Error()
	} else if c.Topic == "" {
		fault = "EVENTS_TOPIC is not set"
	} else if c.Subscription == "" {
		fault = subscriptionSetting + " is not set"
	}
	if fault != "" {
		return Consumer{}, settings.lack(fault)
	}
	if c.Connection.ConnectionString == "" {
		c.Credential = access.Mark(o.identities().of(c.Connection.ClientID))
	}
	return c, nil
}

// Letters is where the dead letters of a consumer of JetStream are.
type Letters struct {
	Connection        jetstream.Connection
	Subject, Consumer string
}

// Letters finds the settings as Run does, for an app of which Consumer has returned ErrStream.
func (o Options) Letters() (Letters, error) {
	if o.Environment == nil {
		o.Environment = environment()
	}
	settings, err := o.read()
	if err != nil {
		return Letters{}, err
	}
	c, _ := config.Load(settings.Values) // faults of what is needed are found below
	l := Letters{Connection: c.NATSConnection(), Subject: c.NATS.Letters, Consumer: c.NATS.Consumer}
	if err := l.Connection.Validate(); err != nil {
		setting, _ := c.NATS.Blamed()
		return Letters{}, settings.lack(setting + ": " + err.Error())
	}
	if l.Consumer == "" {
		return Letters{}, settings.lack("EVENTS_CONSUMER is not set")
	}
	return l, nil
}

// lack is why a verb cannot work with the settings.
func (s Settings) lack(fault string) error {
	return fmt.Errorf("%s (from %s); name the app's settings with --settings, or ask relaybox doctor", fault, s.Source)
}
