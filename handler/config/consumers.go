package config

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// ConsumerContainer is the container of a further consumer's models: the one that
// COSMOS_CONSUMER_CONTAINERS names, or one of the consumer's name.
func (c *Config) ConsumerContainer(name string) string {
	return cmp.Or(c.ConsumerContainers()[name], name)
}

// ConsumerContainers are the containers that the settings name, by consumer.
func (c *Config) ConsumerContainers() map[string]string {
	named := map[string]string{}
	for consumer, container := range c.consumerEntries() {
		if container != "" {
			named[consumer] = container
		}
	}
	return named
}

// consumerEntries are the entries of COSMOS_CONSUMER_CONTAINERS in order: a consumer and its
// container, or the text of an entry that cannot be read and "".
func (c *Config) consumerEntries() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for entry := range strings.SplitSeq(c.Cosmos.Consumers, ",") {
			if entry = strings.TrimSpace(entry); entry == "" {
				continue
			}
			consumer, container, _ := strings.Cut(entry, "=")
			consumer, container = strings.TrimSpace(consumer), strings.TrimSpace(container)
			if consumer == "" || container == "" {
				consumer, container = entry, ""
			}
			if !yield(consumer, container) {
				return
			}
		}
	}
}

func (c *Config) consumerFaults() []error {
	var faults []error
	seen := map[string]bool{}
	for consumer, container := range c.consumerEntries() {
		err := misnamed(container)
		switch {
		case container == "":
			faults = append(faults, fmt.Errorf("%s cannot be read", shown(consumer)))
			continue
		case seen[consumer]:
			faults = append(faults, fmt.Errorf("%s is there twice", consumer))
		case err != nil:
			faults = append(faults, fmt.Errorf("the container %s of %s: %w", shown(container), consumer, err))
		}
		seen[consumer] = true
	}
	named := c.ConsumerContainers()
	return append(faults, c.SharedFaults(slices.Sorted(maps.Keys(named)))...)
}

// SharedFaults are those of consumers whose models would lie in a container that somebody else
// has: of one key each container has one model.
func (c *Config) SharedFaults(consumers []string) []error {
	owner := map[string]string{c.Cosmos.Outbox: "COSMOS_OUTBOX_CONTAINER", c.Cosmos.Inbox: "COSMOS_INBOX_CONTAINER"}
	for _, own := range c.OwnContainers() {
		owner[own.Outbox], owner[own.Inbox] = "COSMOS_KIND_CONTAINERS", "COSMOS_KIND_CONTAINERS"
	}
	var faults []error
	for _, name := range consumers {
		container := c.ConsumerContainer(name)
		if other := owner[container]; other != "" {
			faults = append(faults, fmt.Errorf("the container %s of %s belongs to %s: a consumer owns a container of its own", shown(container), name, other))
		}
		owner[container] = "the consumer " + name
	}
	return faults
}

// subscriptionSuffix ends the settings that name the subscriptions of consumers.
const subscriptionSuffix = "_SUBSCRIPTION"

// Subscription is what a setting of a consumer names, "" if it is not set.
func (c *Config) Subscription(setting string) string { return c.named[setting] }

// Off says whether a setting has turned a function off: the host does not call it.
func (c *Config) Off(function string) bool {
	for _, setting := range offSettings(function) {
		if v := c.named[setting]; strings.EqualFold(v, "true") || v == "1" {
			return true
		}
	}
	return false
}

// InUse says whether a further consumer is, by its function and the setting of its subscription: that
// must name one, and the function not be turned off. Over a stream the host calls no such function, so
// there it is always off, and only an empty setting turns the consumer off.
func (c *Config) InUse(function, setting string) bool {
	return c.Subscription(setting) != "" && (c.EventBroker() == JetStreamBroker || !c.Off(function))
}

// offSettings are the host's settings that turn a function off, the second for shells.
func offSettings(function string) []string {
	return []string{"AzureWebJobs." + function + ".Disabled", "AzureWebJobs_" + function + "_Disabled"}
}

// isNamed says whether a setting is one that only a function of the app knows the name of.
func isNamed(setting string) bool {
	return strings.HasSuffix(setting, subscriptionSuffix) || strings.HasPrefix(setting, "AzureWebJobs") && strings.HasSuffix(setting, "Disabled")
}
