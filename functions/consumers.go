package functions

import (
	"fmt"
	"maps"
	"slices"

	"github.com/relaybox/relaybox/entity"
	inboxsweeper "github.com/relaybox/relaybox/functions/InboxSweeper"
	"github.com/relaybox/relaybox/inbox"
)

// Consumer is one of the consumers, with what it hears and the function that it is called by.
type Consumer struct {
	entity.Consumer
	Kinds    *entity.Kinds
	Function string
}

// Consumers are the app's consumers beside ConsumeEvent, checked.
func Consumers() ([]Consumer, error) {
	triggers, err := Triggers()
	if err != nil {
		return nil, err
	}
	var all []Consumer
	for n, c := range consumers {
		kinds, err := c.Kinds()
		switch {
		case err != nil:
			return nil, fmt.Errorf("functions/functions.go: %w", err)
		case slices.ContainsFunc(consumers[:n], func(o entity.Consumer) bool { return o.Name == c.Name || o.Subscription == c.Subscription }):
			return nil, fmt.Errorf("functions/functions.go: consumer %q: another one has its Name or its Subscription: give it one of its own", c.Name)
		}
		all = append(all, Consumer{c, kinds, functionOf(c, triggers)})
	}
	return all, nil
}

// functionOf is the function that waits for a consumer's subscription, "" if there is none.
func functionOf(c entity.Consumer, triggers map[string]Trigger) string {
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		if triggers[name].Subscription == inPercent(c.Subscription) {
			return name
		}
	}
	return ""
}

// inPercent is a setting as a function.json names it.
func inPercent(setting string) string { return "%" + setting + "%" }

// consumerFaults: does each consumer have a function that waits for its subscription, and say
// what is to be let through there?
func consumerFaults(todo map[string]function, triggers map[string]Trigger, all []entity.Consumer) []error {
	var faults []error
	called := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		c, ok := entity.ConsumerOf(todo[name].handler)
		if !ok {
			continue
		}
		called[c.Name] = true
		fault := func(format string, args ...any) { faults = append(faults, inFile(name, format, args...)) }
		switch t := triggers[name]; {
		case t.Type != busTrigger:
			fault("the function is the consumer %q, and its trigger is of type %s: make it a %s", c.Name, t.Type, busTrigger)
		case !slices.ContainsFunc(all, func(o entity.Consumer) bool { return o.Name == c.Name }):
			fault("the consumer %q is not in consumers of functions/functions.go, so it would have no models: add it", c.Name)
		case t.Subscription != inPercent(c.Subscription):
			fault("subscriptionName is %q, and the consumer %q has the setting %s: write %q", t.Subscription, c.Name, c.Subscription, inPercent(c.Subscription))
		case t.Rule != c.Rule():
			fault("rule, which stands beside bindings, does not let through what the consumer %q hears: write %q", c.Name, c.Rule())
		}
	}
	for _, c := range all {
		if !called[c.Name] {
			faults = append(faults, fmt.Errorf("the consumer %q of functions/functions.go is called by no function: add a folder whose New returns its Consume, and a line in handlers of functions/functions.go", c.Name))
		}
	}
	return faults
}

// sweepers are the inboxes whose early events may wait: none under inbox.Newest.
func (d Deps) sweepers() []inboxsweeper.Sweeper {
	all := []inboxsweeper.Sweeper{d.Inbox}
	for _, c := range consumers {
		if in := d.Consumers[c.Name]; in != nil && c.Policy != inbox.Newest {
			all = append(all, in)
		}
	}
	return all
}
