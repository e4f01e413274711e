package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
)

// further is a consumer beside ConsumeEvent: its subscription, by name, and what it needs of that. One
// that hears everything has no rule.
type further struct {
	name, setting, subscription string
	container                   string
	rule                        string
	sessions                    bool
}

// furtherConsumers are those of this source that the settings do not turn off.
func furtherConsumers(c config.Config, o Options, s Settings) []further {
	all, err := functions.Consumers()
	if err != nil {
		return nil // the app says so itself when it starts
	}
	var list []further
	for _, consumer := range all {
		if c.Off(consumer.Function) && c.EventBroker() != config.JetStreamBroker { // there its function is always off
			continue
		}
		f := further{name: consumer.Name, setting: consumer.Subscription, subscription: c.Subscription(consumer.Subscription), container: c.ConsumerContainer(consumer.Name)}
		f.rule = strings.ReplaceAll(consumer.Rule(), "%"+f.setting+"%", f.subscription)
		f.sessions = f.subscription != "" && takesSessions(o.App, o.Home, s, f.subscription)
		list = append(list, f)
	}
	if !c.Off(cacheFunction) && c.EventBroker() != config.JetStreamBroker { // it is not there over a stream
		list = append(list, further{name: "cache of reads", setting: cacheSubscription, subscription: c.Subscription(cacheSubscription)})
	}
	return list
}

// Who keeps the cache of reads true has no models, so it is none of the app's consumers.
const cacheFunction, cacheSubscription = "RefreshCache", "CACHE_SUBSCRIPTION"

// isFurther says whether a function is that of a consumer beside ConsumeEvent.
func isFurther(function string) bool {
	all, err := functions.Consumers()
	return function == cacheFunction || err == nil && slices.ContainsFunc(all, func(c functions.Consumer) bool { return c.Function == function })
}

// left are the subscriptions that the settings name for functions that are off, by the function.
func left(c config.Config) map[string]string {
	named := map[string]string{cacheFunction: c.Subscription(cacheSubscription)}
	all, _ := functions.Consumers() // furtherConsumers says what it means that there are none
	for _, consumer := range all {
		named[consumer.Function] = c.Subscription(consumer.Subscription)
	}
	maps.DeleteFunc(named, func(function, subscription string) bool { return subscription == "" || !c.Off(function) })
	return named
}

// Further are the subscriptions of consumers beside ConsumeEvent that the settings name, by the
// consumer's name.
func (o Options) Further() (map[string]string, error) {
	if o.Environment == nil {
		o.Environment = environment()
	}
	settings, err := o.read()
	if err != nil {
		return nil, err
	}
	c, _ := config.Load(settings.Values) // its faults are doctor's findings
	named := map[string]string{}
	for _, f := range furtherConsumers(c, o, settings) {
		if f.subscription != "" {
			named[f.name] = f.subscription
		}
	}
	return named, nil
}

// ofConsumers asks for the subscriptions of further consumers, all at once.
func (q busQuestions) ofConsumers(ctx context.Context, conn servicebus.Connection, opts admin.Options) []Finding {
	off := left(q.config)
	names := slices.Sorted(maps.Keys(off))
	found := make([][]Finding, len(q.consumers)+len(names))
	var questions sync.WaitGroup
	for i, f := range names {
		questions.Go(func() { found[len(q.consumers)+i] = q.ofNobody(ctx, conn, opts, f, off[f]) })
	}
	for i, f := range q.consumers {
		questions.Go(func() { found[i] = q.ofConsumer(ctx, conn, opts, f) })
	}
	questions.Wait()
	var list []Finding
	for _, of := range found {
		list = append(list, of...)
	}
	return list
}

// ofNobody asks whether a subscription is there from which nobody takes.
func (q busQuestions) ofNobody(ctx context.Context, conn servicebus.Connection, opts admin.Options, function, subscription string) []Finding {
	if s := admin.Inspect(ctx, conn, opts, q.config.Bus.Topic, subscription); s.SubscriptionErr != nil {
		return nil // it is not there, most likely
	}
	return []Finding{finding(Warning, "subscription "+subscription, "nobody takes from it, because "+function+" is off: it fills until the topic takes no event", "delete it, or turn "+function+" on")}
}

func (q busQuestions) ofConsumer(ctx context.Context, conn servicebus.Connection, opts admin.Options, f further) []Finding {
	if f.subscription == "" {
		return []Finding{notAsked("subscription of "+f.name, f.setting)}
	}
	s := admin.Inspect(ctx, conn, opts, q.config.Bus.Topic, f.subscription)
	switch err := s.SubscriptionErr; {
	case err != nil && probe.Of(err) == probe.Missing:
		return []Finding{missingEntity(conn, "subscription "+f.subscription, "not there: the consumer "+f.name+" hears nothing", f.setting)}
	case err != nil:
		return []Finding{q.unread("subscription "+f.subscription, conn, err)}
	}
	list := CheckSubscription(f.subscription, s.Subscription, SubscriptionNeeds{
		Hold: q.config.Inbox.Hold, EarlyWait: q.config.Inbox.EarlyWait, Deliveries: q.config.Inbox.Deliveries, Sessions: f.sessions, Emulator: admin.Emulator(conn),
	})
	if s.RulesErr != nil {
		return append(list, q.unread(f.subscription+" rules", conn, s.RulesErr))
	}
	if f.rule == "" {
		return append(list, CheckRules(f.subscription, s.Rules))
	}
	return append(list, CheckRule(f.subscription, s.Rules, f.rule))
}

// CheckRule looks for the one rule that a further consumer needs.
func CheckRule(name string, rules []Rule, needed string) Finding {
	subject, remedy := name+" rules", "make the SQL rule, and remove all others: "+needed
	var texts []string
	for _, r := range rules {
		if all(r) {
			return finding(Refused, subject, r.Name+" takes every event: what the consumer does not hear is refused, and dead-lettered", remedy)
		}
		texts = append(texts, fmt.Sprintf("%s (%s)", r.Name, r.Filter))
	}
	switch {
	case len(rules) == 0:
		return finding(Refused, subject, "none: no event gets in", remedy)
	case len(rules) == 1 && rules[0].Filter == admin.SQLFilter && squeezed(rules[0].Text) == squeezed(needed):
		return ok(subject, "%s lets through what the consumer hears", rules[0].Name)
	}
	return finding(Warning, subject, strings.Join(texts, ", ")+": not the rule that the consumer needs, so its models may stay behind", remedy)
}

// squeezed is SQL without the blanks that mean nothing: a rule's text may have been wrapped.
func squeezed(sql string) string { return strings.Join(strings.Fields(sql), " ") }
