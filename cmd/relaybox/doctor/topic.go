package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/relaybox/relaybox/azure/servicebus/admin"
)

// Topic, Subscription, Rule and Namespace are what matters about them.
type (
	Topic        = admin.Topic
	Subscription = admin.Subscription
	Rule         = admin.Rule
	Namespace    = admin.Namespace
)

// What the protocol needs of a topic and its subscription.
const (
	// minWindow of duplicate detection: longer than the longest pause after which a
	// dispatcher sends an event again.
	minWindow = time.Minute
	// pauseCap is the longest a dispatcher leaves the broker alone.
	pauseCap = 15 * time.Second
	// minTimeToLive: a consumer may be away that long.
	minTimeToLive = time.Hour
	minDeliveries = 5
	minLock       = 30 * time.Second
)

// TopicNeeds is what the settings say about the topic.
type TopicNeeds struct {
	Partitioned bool          // EVENTS_TOPIC_PARTITIONED
	SweepBudget time.Duration // RELAYBOX_SWEEP_BUDGET
}

// CheckTopic holds a topic against what the dispatcher needs.
func CheckTopic(name string, t Topic, n TopicNeeds) []Finding {
	list := []Finding{
		checkDuplicates(name+" duplicate detection", t, n),
		checkPartitioning(name+" partitioning", t, n),
		checkTimeToLive(name, t.TimeToLive),
		checkAutoDelete(name, t.AutoDelete),
	}
	if !t.Partitioned { // there the session keeps the order
		list = append(list, unless(t.Ordered, "kept", finding(Refused, name+" ordering",
			"not supported: events of an entity may overtake each other", "set supportOrdering to true")))
	}
	return append(list, checkStatus(name, t.Status, "SendDisabled"))
}

func checkDuplicates(subject string, t Topic, n TopicNeeds) Finding {
	if !t.DuplicateDetection {
		return finding(Refused, subject, "off: an event that is sent twice arrives twice",
			"it cannot be switched on later: make the topic anew with requiresDuplicateDetection, as infra/bicep does")
	}
	least := max(minWindow, n.SweepBudget+pauseCap)
	found := "on, window " + span(t.DuplicateWindow)
	return unless(t.DuplicateWindow >= least, found, finding(Refused, subject,
		found+": shorter than a dispatcher may pause between two tries", "set duplicateDetectionHistoryTimeWindow to at least "+span(least)))
}

func checkPartitioning(subject string, t Topic, n TopicNeeds) Finding {
	switch {
	case t.Partitioned == n.Partitioned:
		return ok(subject, "%s, as EVENTS_TOPIC_PARTITIONED says", map[bool]string{true: "on", false: "off"}[t.Partitioned])
	case t.Partitioned:
		return finding(Warning, subject, "on, and EVENTS_TOPIC_PARTITIONED is false: the broker refuses the first batch of every start", "set EVENTS_TOPIC_PARTITIONED to true")
	}
	return finding(Warning, subject, "off, and EVENTS_TOPIC_PARTITIONED is true: every entity costs a send of its own", "set EVENTS_TOPIC_PARTITIONED to false")
}

func checkTimeToLive(name string, d time.Duration) Finding {
	return unless(d >= minTimeToLive, span(d), finding(Warning, name+" time to live",
		span(d)+": an event is gone if no consumer takes it in that time", "set defaultMessageTimeToLive to days, 14 (P14D) for instance"))
}

func checkAutoDelete(name string, d time.Duration) Finding {
	return unless(d == admin.Forever, "never", finding(Refused, name+" auto-delete",
		"after "+span(d)+" without traffic: events are lost from then on", "remove autoDeleteOnIdle"))
}

func checkStatus(name, status, half string) Finding {
	bad := strings.EqualFold(status, "Disabled") || strings.EqualFold(status, half)
	return unless(!bad, strings.ToLower(status), finding(Refused, name+" status", strings.ToLower(status)+": nothing passes", "set its status to Active"))
}

// CheckSubscription holds a subscription against what the consumer needs.
func CheckSubscription(name string, s Subscription) []Finding {
	return []Finding{
		unless(s.Sessions, "on", finding(Refused, name+" sessions", "off: events of an entity are handled in any order",
			"they cannot be switched on later: make the subscription anew with requiresSession, as infra/bicep does")),
		unless(s.MaxDeliveryCount >= minDeliveries, fmt.Sprint(s.MaxDeliveryCount), finding(Refused, name+" max deliveries",
			fmt.Sprintf("%d: a few crashes of the host would dead-letter a good event", s.MaxDeliveryCount), fmt.Sprintf("set maxDeliveryCount to %d or more, 10 for instance", minDeliveries))),
		unless(s.LockDuration >= minLock, span(s.LockDuration), finding(Warning, name+" lock",
			span(s.LockDuration)+": a short stall of the host loses the session, and its events are delivered again", "set lockDuration to PT1M")),
		checkTimeToLive(name, s.TimeToLive),
		unless(s.DeadLetterLate, "dead-lettered", finding(Warning, name+" expired events",
			"dropped without a trace", "set deadLetteringOnMessageExpiration to true")),
		checkAutoDelete(name, s.AutoDelete),
		unless(s.ForwardTo == "", "none", finding(Refused, name+" forwarding",
			"to "+s.ForwardTo+": the consumer gets nothing", "remove forwardTo")),
		checkStatus(name, s.Status, "ReceiveDisabled"),
	}
}

// CheckRules looks for a rule that lets every event in.
func CheckRules(name string, rules []Rule) Finding {
	subject := name + " rules"
	const remedy = "keep one rule with a true filter, $Default, unless you mean to leave events out"
	var texts []string
	passes := false
	for _, r := range rules {
		if all(r) {
			return ok(subject, "%s takes every event", r.Name)
		}
		passes = passes || r.Filter != admin.FalseFilter
		texts = append(texts, fmt.Sprintf("%s (%s)", r.Name, r.Filter))
	}
	switch {
	case len(rules) == 0:
		return finding(Refused, subject, "none: no event gets in", remedy)
	case !passes:
		return finding(Refused, subject, strings.Join(texts, ", ")+": no event gets in", remedy)
	}
	return finding(Warning, subject, strings.Join(texts, ", ")+": an event that none of them takes is dropped, which the consumer sees as a gap", remedy)
}

// all says whether a rule takes everything. Some tools write the true filter as SQL.
func all(r Rule) bool {
	return r.Filter == admin.TrueFilter || r.Filter == admin.SQLFilter && strings.ReplaceAll(r.Text, " ", "") == "1=1"
}

// Message limits of the tiers.
const (
	standardLimit = 256 << 10
	premiumLimit  = 1 << 20 // unless the topic says otherwise
)

// CheckEventSize holds RELAYBOX_MAX_EVENT_BYTES against what a message may have.
func CheckEventSize(maxEvent int, n Namespace, t Topic) Finding {
	limit := int64(standardLimit)
	if strings.EqualFold(n.SKU, "Premium") {
		limit = premiumLimit
		if t.MaxMessageBytes > 0 {
			limit = t.MaxMessageBytes
		}
	}
	tier := n.SKU
	if tier == "" {
		tier = "Standard (assumed)"
	}
	// A message carries its properties, too.
	const envelope = 8 << 10
	return unless(int64(maxEvent)+envelope <= limit, fmt.Sprintf("up to %d bytes; the tier, %s, takes %d", maxEvent, tier, limit),
		finding(Refused, "event size", fmt.Sprintf("up to %d bytes, and the tier, %s, takes messages of %d with their properties: such an event is parked", maxEvent, tier, limit),
			fmt.Sprintf("set RELAYBOX_MAX_EVENT_BYTES to at most %d", limit-envelope)))
}
