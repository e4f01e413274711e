package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost"
)

// HostConfig is host.json as the host reads it.
type HostConfig = minihost.HostConfig

// HostNeeds is what the settings say about invocations.
type HostNeeds struct {
	Deadline time.Duration // RELAYBOX_INVOCATION_DEADLINE
	Hold     time.Duration // RELAYBOX_INBOX_HOLD
	Waiting  int           // RELAYBOX_INBOX_WAITING
	Sessions bool          // a function takes sessions
	Messages bool          // a function takes messages without sessions
	Stream   bool          // no function takes messages: the app has a stream
}

// CheckHost holds host.json against what the handler needs of the host.
func CheckHost(h HostConfig, n HostNeeds) []Finding {
	list := []Finding{
		unless(h.Forwarding, "on", finding(Refused, "request forwarding", "off: the handler answers the paths that clients ask for, and would not be asked", "set customHandler.enableForwardingHttpRequest to true in host.json")),
		checkBundle(h),
		checkTimeout(h, n),
		checkRenewal(h, n),
		unless(h.AutoComplete, "on", finding(Refused, "auto-complete", "off: a custom handler cannot settle a message, so each comes again and again", "set extensions.serviceBus.autoCompleteMessages to true in host.json")),
		checkSampling(h),
	}
	if n.Sessions {
		list = append(list, checkSessions(h, n))
	}
	if n.Messages {
		list = append(list, checkCalls(h, n))
	}
	for _, key := range h.UnknownKeys {
		list = append(list, finding(Warning, "host.json "+key, "the host knows no such key and says nothing", "correct its name or remove it"))
	}
	return list
}

var bundleRange = regexp.MustCompile(`^[\[(]\s*(\d+)\.[\d.*]+\s*,\s*(\d+)\.[\d.]+\s*[\])]$`)

func checkBundle(h HostConfig) Finding {
	const (
		subject, id = "extension bundle", "Microsoft.Azure.Functions.ExtensionBundle"
		remedy      = `write {"id": "` + id + `", "version": "[4.*, 5.0.0)"} in host.json`
	)
	m := bundleRange.FindStringSubmatch(h.BundleVersion)
	switch {
	case h.Bundle == "":
		return finding(Refused, subject, "none: the Service Bus trigger comes from it", remedy)
	case h.Bundle != id:
		return finding(Warning, subject, h.Bundle+": not the stable one", remedy)
	case m == nil:
		return finding(Refused, subject, fmt.Sprintf("version %q is no range", h.BundleVersion), remedy)
	case m[1] != "4":
		return finding(Warning, subject, "version "+h.BundleVersion+" is not supported any more, or not yet", remedy)
	}
	return ok(subject, "%s", h.BundleVersion)
}

func checkTimeout(h HostConfig, n HostNeeds) Finding {
	const subject = "functionTimeout"
	if h.FunctionTimeout == 0 {
		return ok(subject, "none")
	}
	found := fmt.Sprintf("%s, and RELAYBOX_INVOCATION_DEADLINE is %s", span(h.FunctionTimeout), span(n.Deadline))
	return unless(h.FunctionTimeout > n.Deadline, found, finding(Refused, subject,
		found+": the host would kill the handler, with every other invocation in it, before the handler gives up", "raise functionTimeout in host.json or lower the setting"))
}

// checkRenewal: a message's lock is renewed from its receipt, a session's from its
// acceptance, whatever runs later.
func checkRenewal(h HostConfig, n HostNeeds) Finding {
	const (
		subject = "lock renewal"
		setting = "extensions.serviceBus.maxAutoLockRenewalDuration"
	)
	found := "for " + span(h.LockRenewal)
	switch {
	case h.LockRenewal < 0:
		return ok(subject, "without an end")
	case h.LockRenewal < n.Hold:
		return finding(Refused, subject, fmt.Sprintf("%s, and a held event keeps its lock for RELAYBOX_INBOX_HOLD, %s", found, span(n.Hold)),
			"raise "+setting+" in host.json or lower the setting")
	case n.Sessions && h.LockRenewal < outage:
		return finding(Refused, subject, found+" from a session's acceptance: one that is busy for longer loses its lock in the middle of a call, which costs its event a delivery each time",
			"set "+setting+" to 1.00:00:00, a day, in host.json")
	}
	return ok(subject, "%s, and RELAYBOX_INBOX_HOLD is %s", found, span(n.Hold))
}

// What an instance may have of sessions at once. Each accept of one is two claims, one at a time
// for a connection, and an instance handles one event of each: with more slots it takes seconds
// to fill them after a restart of the broker, with few it handles few entities a second.
const (
	fewSessions   = 8
	manySessions  = 16
	stuckSessions = 128
)

func checkSessions(h HostConfig, n HostNeeds) Finding {
	const (
		subject = "sessions per instance"
		setting = "extensions.serviceBus.maxConcurrentSessions"
	)
	switch {
	case h.CallsPerSession > 1:
		return finding(Refused, subject, fmt.Sprintf("%d events of one entity at once: their order is lost", h.CallsPerSession), "set extensions.serviceBus.maxConcurrentCallsPerSession to 1 in host.json")
	case !h.MaxSessionsSet:
		return finding(Warning, subject, fmt.Sprintf("%d, the host's default", h.MaxSessions), "set "+setting+" in host.json, to 16 for instance")
	case h.MaxSessions >= stuckSessions:
		return finding(Refused, subject, fmt.Sprintf("%d: their accepts stand in line, and after a restart of the broker instances receive nothing for many seconds", h.MaxSessions), "set "+setting+" in host.json to 16 or less")
	case h.MaxSessions > manySessions:
		return finding(Warning, subject, fmt.Sprintf("%d: their accepts stand in line, for seconds after a restart of the broker", h.MaxSessions), "set "+setting+" in host.json to 16 or less")
	case n.Waiting > h.MaxSessions/2:
		return finding(Warning, subject, fmt.Sprintf("%d, and RELAYBOX_INBOX_WAITING lets %d events wait for one that is missing: few sessions are left for events that need not", h.MaxSessions, n.Waiting),
			fmt.Sprintf("set RELAYBOX_INBOX_WAITING to at most %d", max(1, h.MaxSessions/2)))
	case h.MaxSessions < fewSessions:
		return ok(subject, "%d, one event of each at a time: few entities a second, since each session is kept for its idle time; 8 to 16 is usual", h.MaxSessions)
	}
	return ok(subject, "%d, one event of each at a time", h.MaxSessions)
}

// checkCalls: the default depends on the machine, and events that wait for their predecessor
// must leave room for those that do not.
func checkCalls(h HostConfig, n HostNeeds) Finding {
	const (
		subject = "messages per instance"
		setting = "extensions.serviceBus.maxConcurrentCalls"
	)
	switch {
	case !h.MaxCallsSet:
		return finding(Warning, subject, fmt.Sprintf("%d on this machine, the host's default", h.MaxCalls), "set "+setting+" in host.json to what the store bears, 128 for instance")
	case n.Waiting > h.MaxCalls/2:
		return finding(Refused, subject, fmt.Sprintf("%d at once, and RELAYBOX_INBOX_WAITING lets %d of them wait: few are left for events that need not", h.MaxCalls, n.Waiting),
			fmt.Sprintf("set RELAYBOX_INBOX_WAITING to at most %d, or raise %s in host.json", max(1, h.MaxCalls/2), setting))
	}
	return ok(subject, "%d at once, of which %d may wait for their predecessor", h.MaxCalls, n.Waiting)
}

// checkSampling: alerts wait for single lines of the log.
func checkSampling(h HostConfig) Finding {
	const subject = "log sampling"
	kept := slices.ContainsFunc(h.NotSampled, func(t string) bool { return strings.EqualFold(t, "Trace") })
	if !h.Sampling || kept {
		return ok(subject, "leaves log lines alone")
	}
	return finding(Warning, subject, "takes log lines, too: at high load one that an alert waits for may be left out",
		`set logging.applicationInsights.samplingSettings.excludedTypes to "Request;Trace" in host.json`)
}
