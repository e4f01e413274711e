package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/inbox"
)

// inUse are the consumers beside ConsumeEvent that the settings do not turn off.
func inUse(cfg config.Config) ([]functions.Consumer, error) {
	all, err := functions.Consumers()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c functions.Consumer) bool { return !cfg.InUse(c.Function, c.Subscription) }), nil
}

// containersOf are the containers of consumers.
func containersOf(cfg config.Config, consumers []functions.Consumer) []string {
	var names []string
	for _, c := range consumers {
		names = append(names, cfg.ConsumerContainer(c.Name))
	}
	return names
}

// unknownConsumers has a fault for each consumer that only the settings know, and for each that
// would share the container of its models.
func unknownConsumers(cfg config.Config, consumers []functions.Consumer) []error {
	var faults []error
	all, _ := functions.Consumers() // inUse has told of its error
	var known, used []string
	for _, c := range all {
		known = append(known, c.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.ConsumerContainers())) {
		if !slices.Contains(known, name) {
			faults = append(faults, fmt.Errorf("COSMOS_CONSUMER_CONTAINERS names the consumer %q, which the app does not know: write one of %s", name, strings.Join(known, ", ")))
		}
	}
	for _, c := range consumers {
		used = append(used, c.Name)
	}
	for _, err := range cfg.SharedFaults(used) {
		faults = append(faults, fmt.Errorf("COSMOS_CONSUMER_CONTAINERS is not as it must be: %w", err))
	}
	return faults
}

// inboxOf holds the models of a consumer.
func (a *App) inboxOf(c functions.Consumer) *inbox.Inbox {
	models := a.store.Inbox(a.cfg.Cosmos.Database, a.cfg.ConsumerContainer(c.Name), cosmos.InboxOptions{})
	options := inboxOptions(a.cfg, a.broker.reach, toldInbox(observeInbox(a.log.With("consumer", c.Name)), a.telemetry.Consumer()), a.telemetry.Effects())
	options.Policy = c.Policy
	return inbox.New(models, c.Kinds.Apply, options)
}

// followed is an inbox whose messages are followed, if anybody wants to; of names the subscription, or
// the durable consumer, that they come from.
func (a *App) followed(in *inbox.Inbox, of string) functions.Inbox {
	if a.telemetry == nil {
		return in
	}
	return a.broker.follow(a.telemetry, in, of)
}

// hearer takes the messages of one durable consumer of a broker from which no host brings them.
type hearer struct {
	of   string
	take take
}

func (a *App) hear(of string, take take) {
	if a.broker.consume != nil && of != "" {
		a.hearers = append(a.hearers, hearer{of, take})
	}
}
