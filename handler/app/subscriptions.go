package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
)

// sourceFaults has a fault for each subscription, or durable consumer, that cannot be, and for each that
// two consumers would take their messages from: of each event only one of them would hear.
func sourceFaults(cfg config.Config, consumers []functions.Consumer) []error {
	var faults []error
	taken := map[string]string{} // the setting, by name
	named := sources(cfg, consumers)
	for _, setting := range slices.Sorted(maps.Keys(named)) {
		name := named[setting]
		if !cfg.CanBeSource(name) {
			faults = append(faults, fmt.Errorf("%s is %.60q, which is no name that the broker takes: write up to 50 letters, digits, - and _", setting, name))
			continue
		}
		if other := taken[strings.ToLower(name)]; other != "" {
			faults = append(faults, fmt.Errorf("%s is %q, as %s is: two consumers would share one queue, and of each event only one would hear; make one for each", setting, name, other))
		}
		taken[strings.ToLower(name)] = setting
	}
	return faults
}

// sources are what messages are taken from, by the settings that name them.
func sources(cfg config.Config, consumers []functions.Consumer) map[string]string {
	named := map[string]string{}
	if cfg.EventBroker() == config.JetStreamBroker {
		if cfg.CanBeSource(cfg.NATS.Consumer) { // else config has told of it
			named["EVENTS_CONSUMER"] = cfg.NATS.Consumer
		}
		for _, c := range consumers {
			named[c.Subscription] = cfg.Subscription(c.Subscription)
		}
	} else {
		triggers, _ := functions.Triggers() // functions.New tells of a faulty one
		for function, t := range triggers {
			if setting := strings.Trim(t.Subscription, "%"); !cfg.Off(function) && setting != t.Subscription {
				named[setting] = cfg.Subscription(setting)
			}
		}
	}
	maps.DeleteFunc(named, func(_, name string) bool { return name == "" })
	return named
}
