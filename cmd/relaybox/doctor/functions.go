package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost"
)

// Function is a function of the app as the host reads it.
type Function = minihost.FunctionDetail

// longInterval between sweeps: an event that the fast path missed waits as long.
const longInterval = 10 * time.Minute

// inboxSweeper is the timer function behind the consumer.
const inboxSweeper = "InboxSweeper"

// CheckFunctions holds the functions against what the app needs of them. azure says that
// they are meant for a plan in Azure.
func CheckFunctions(functions []Function, azure bool) []Finding {
	var list []Finding
	seen := map[string]bool{}
	for _, f := range functions {
		if f.Name != inboxSweeper { // a timer of the consumer sweeps no outbox
			seen[f.Trigger] = seen[f.Trigger] || len(f.Errors) == 0 && !f.Disabled
		}
		list = append(list, checkFunction(f, azure)...)
	}
	miss := func(trigger string, s Status, found, remedy string) {
		if !seen[trigger] {
			list = append(list, finding(s, trigger, found, remedy))
		}
	}
	miss(minihost.TimerTrigger, Refused, "no function has one: events that the fast path missed are never sent", "put the folder of OutboxDispatcher beside host.json: relaybox assemble")
	miss(minihost.HTTPTrigger, Warning, "no function has one: nobody can write", "put the folders of the HTTP functions beside host.json: relaybox assemble")
	if seen[minihost.ServiceBusTrigger] && !slices.ContainsFunc(functions, func(f Function) bool { return f.Name == inboxSweeper && !f.Disabled && len(f.Errors) == 0 }) {
		list = append(list, finding(Refused, inboxSweeper, "no such function: an event whose predecessor never comes waits for ever", "put its folder beside host.json: relaybox assemble"))
	}
	miss(minihost.ServiceBusTrigger, Warning, "no function has one: fine only if another app consumes the events", "put the folder of ConsumeEvent beside host.json: relaybox assemble")
	return list
}

// CheckStreamFunctions is CheckFunctions for an app that takes its events from a stream: a function that
// the host calls for Service Bus is in the way.
func CheckStreamFunctions(functions []Function, azure bool) []Finding {
	var list []Finding
	rest := slices.DeleteFunc(slices.Clone(functions), func(f Function) bool {
		if f.Trigger != minihost.ServiceBusTrigger {
			return false
		}
		list = append(list, unless(f.Disabled, "disabled: the app takes events from the stream itself", finding(Refused, f.Name,
			"the host would look for Service Bus, and events go to a stream", "set AzureWebJobs."+f.Name+".Disabled to true")))
		return true
	})
	return append(slices.DeleteFunc(CheckFunctions(rest, azure), func(f Finding) bool { return f.Subject == minihost.ServiceBusTrigger }), list...)
}

func checkFunction(f Function, azure bool) []Finding {
	var list []Finding
	for _, fault := range f.Errors {
		found, remedy := splitFault(strings.TrimPrefix(fault, "function.json: "))
		list = append(list, finding(Refused, f.Name, "does not load: "+found, remedy))
	}
	switch {
	case len(list) > 0:
		return list
	case f.Disabled && isFurther(f.Name):
		return []Finding{ok(f.Name, "turned off by a setting: that consumer is not wanted")}
	case f.Disabled:
		return []Finding{finding(Warning, f.Name, "disabled by a setting", "remove AzureWebJobs."+f.Name+".Disabled")}
	}
	switch f.Trigger {
	case minihost.TimerTrigger:
		return []Finding{checkTimer(f, azure)}
	case minihost.ServiceBusTrigger:
		return []Finding{checkBusTrigger(f)}
	case minihost.HTTPTrigger:
		return []Finding{ok(f.Name, "%s /%s", strings.Join(f.Methods, " "), constraints.ReplaceAllString(f.Route, "{$1}"))}
	}
	return []Finding{ok(f.Name, "%s", f.Trigger)}
}

// constraints of a route's parameters are of no interest here.
var constraints = regexp.MustCompile(`\{([^:}/]+):[^/]*\}`)

func checkTimer(f Function, azure bool) Finding {
	found := fmt.Sprintf("every %s (%s)", span(f.Interval), f.Schedule)
	switch {
	case !f.Cron && azure:
		return finding(Refused, f.Name, found+": Flex Consumption takes no time span", `write the schedule as NCRONTAB, "0 * * * * *" for every minute`)
	case !f.Cron:
		return finding(Warning, f.Name, found+": a plan in Azure may refuse a time span", `write the schedule as NCRONTAB, "0 * * * * *" for every minute`)
	case f.Interval > longInterval:
		return finding(Warning, f.Name, found+": an event that the fast path missed waits as long", `sweep more often, "0 * * * * *" is every minute`)
	}
	return ok(f.Name, "%s", found)
}

func checkBusTrigger(f Function) Finding {
	source := f.Queue
	if source == "" {
		source = f.Topic + "/" + f.Subscription
	}
	return ok(f.Name, "%s, %s sessions", source, map[bool]string{true: "with", false: "without"}[f.Sessions])
}

// CheckFaults is about what keeps the host from starting.
func CheckFaults(faults []string) []Finding {
	var list []Finding
	for _, fault := range faults {
		subject, text := "app folder", fault
		if rest, ok := strings.CutPrefix(fault, "host.json"); ok {
			subject, text = "host.json", strings.TrimLeft(rest, ": ")
		}
		if rest, ok := strings.CutPrefix(text, "customHandler.description.defaultExecutablePath: "); ok {
			subject, text = "handler", rest
		}
		found, remedy := splitFault(text)
		list = append(list, finding(Refused, subject, found, remedy))
	}
	return list
}

// splitFault cuts minihost's "what is wrong; what to do".
func splitFault(text string) (found, remedy string) {
	found, remedy, ok := strings.Cut(text, "; ")
	if !ok {
		remedy = "correct it and run relaybox assemble"
	}
	return found, remedy
}

// CheckUnseen is about what the host passes over without a word.
func CheckUnseen(unseen []minihost.Unseen) []Finding {
	var list []Finding
	for _, u := range unseen {
		found, remedy := splitFault(u.Why)
		status := Warning
		if u.Function {
			status, found = Refused, "the host passes over it in silence: "+found
		}
		list = append(list, finding(status, u.Path, found, remedy))
	}
	return list
}
