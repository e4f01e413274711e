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
	// outage of the store that must not cost an event, with a death of an instance, or a
	// lock that is lost, once an hour: each costs a delivery like the end of a hold.
	outage      = 24 * time.Hour
	deathsEvery = time.Hour
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

// SubscriptionNeeds is what the settings say about the subscription.
type SubscriptionNeeds struct {
	Hold      time.Duration // RELAYBOX_INBOX_HOLD
	EarlyWait time.Duration // RELAYBOX_EARLY_WAIT
	// Deliveries is RELAYBOX_MAX_DELIVERIES; 0 if it is not usable.
	Deliveries int
	Sessions   bool // the app's function takes sessions
	// Emulator: the official one allows ten deliveries.
	Emulator bool
}

// CheckSubscription holds a subscription against what the consumer needs.
func CheckSubscription(name string, s Subscription, n SubscriptionNeeds) []Finding {
	return []Finding{
		checkSubscriptionSessions(name+" sessions", s, n),
		checkDeliveries(name+" max deliveries", s.MaxDeliveryCount, n),
		checkLastDelivery(name+" last delivery", s.MaxDeliveryCount, n.Deliveries),
		unless(n.EarlyWait == 0 || n.EarlyWait > s.LockDuration, "longer than its lock of "+span(s.LockDuration), finding(Refused, name+" early wait",
			fmt.Sprintf("%s, and a message stays with an instance that has died for its lock of %s: events behind it would go on without it", span(n.EarlyWait), span(s.LockDuration)),
			"set RELAYBOX_EARLY_WAIT above the lock, 3m for instance")),
		unless(s.LockDuration >= minLock, span(s.LockDuration), finding(Warning, name+" lock",
			span(s.LockDuration)+": a short stall of the host loses the lock, and its events are delivered again", "set lockDuration to PT1M")),
		checkTimeToLive(name, s.TimeToLive),
		unless(s.DeadLetterLate, "dead-lettered", finding(Warning, name+" expired events",
			"dropped without a trace", "set deadLetteringOnMessageExpiration to true")),
		checkAutoDelete(name, s.AutoDelete),
		unless(s.ForwardTo == "", "none", finding(Refused, name+" forwarding",
			"to "+s.ForwardTo+": the consumer gets nothing", "remove forwardTo")),
		checkStatus(name, s.Status, "ReceiveDisabled"),
	}
}

// checkSubscriptionSessions: a receiver without sessions gets nothing from a subscription that
// needs them, and the other way round.
func checkSubscriptionSessions(subject string, s Subscription, n SubscriptionNeeds) Finding {
	const anew = "it cannot be changed later: make the subscription anew, as infra/bicep does, under another name while the old one is drained"
	switch {
	case s.Sessions == n.Sessions:
		return ok(subject, "%s, as isSessionsEnabled of the function says", map[bool]string{true: "on", false: "off"}[s.Sessions])
	case s.Sessions:
		return finding(Refused, subject, "on, and the function takes messages without sessions: it gets none", "set requiresSession to false; "+anew)
	}
	return finding(Refused, subject, "off, and the function asks for sessions: it gets none", "set isSessionsEnabled to false in its function.json, or requiresSession to true; "+anew)
}

// checkLastDelivery: the consumer notes on what it takes for the last delivery that an event is gone.
func checkLastDelivery(subject string, limit, setting int) Finding {
	remedy := fmt.Sprintf("set RELAYBOX_MAX_DELIVERIES to %d", limit)
	switch {
	case setting <= 0:
		return finding(Unknown, subject, fmt.Sprintf("%d, and RELAYBOX_MAX_DELIVERIES is not usable", limit), "correct the setting")
	case setting < limit:
		return finding(Refused, subject, fmt.Sprintf("%d, and RELAYBOX_MAX_DELIVERIES is %d: events would go on without one that is still delivered", limit, setting), remedy)
	case setting > limit:
		return finding(Warning, subject, fmt.Sprintf("%d, and RELAYBOX_MAX_DELIVERIES is %d: events wait for RELAYBOX_EARLY_WAIT behind one that has become a dead letter", limit, setting), remedy)
	}
	return ok(subject, "%d, as RELAYBOX_MAX_DELIVERIES says", limit)
}

// checkDeliveries: a delivery is used up by each hold that ends while the store is away, and
// by each death on the way.
func checkDeliveries(subject string, limit int, n SubscriptionNeeds) Finding {
	if limit < minDeliveries {
		return finding(Refused, subject, fmt.Sprintf("%d: a few crashes of the host would dead-letter a good event", limit), "set maxDeliveryCount to 100")
	}
	if n.Hold <= 0 {
		return finding(Unknown, subject, fmt.Sprintf("%d, and RELAYBOX_INBOX_HOLD is not usable", limit), "correct the setting")
	}
	each := time.Duration(float64(n.Hold) * float64(deathsEvery) / float64(n.Hold+deathsEvery))
	borne := (time.Duration(limit) * each).Truncate(time.Minute)
	found := fmt.Sprintf("%d, each held for %s: with a restart an hour", limit, span(n.Hold))
	if borne >= outage {
		return ok(subject, "%s, an outage of the store of %s dead-letters nothing", found, span(borne))
	}
	bad := finding(Refused, subject, fmt.Sprintf("%s, an outage of the store of %s dead-letters good events", found, span(borne)),
		fmt.Sprintf("set maxDeliveryCount to %d or more, or raise RELAYBOX_INBOX_HOLD", int((outage+each-1)/each)))
	if n.Emulator {
		bad.Status = Warning
		bad.Remedy += "; the official emulator allows no more than 10"
	}
	return bad
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
