package admin

import (
	"time"

	sdk "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// Topic is what matters about a topic. Durations of Forever mean never.
type Topic struct {
	DuplicateDetection bool
	DuplicateWindow    time.Duration
	TimeToLive         time.Duration
	AutoDelete         time.Duration // when idle
	Partitioned        bool
	Ordered            bool // supportOrdering
	Status             string
	MaxMessageBytes    int64 // 0 if the namespace's limit holds
}

// Subscription is what matters about a subscription.
type Subscription struct {
	Sessions         bool
	LockDuration     time.Duration
	TimeToLive       time.Duration
	AutoDelete       time.Duration
	MaxDeliveryCount int
	DeadLetterLate   bool // dead-lettering on expiration
	ForwardTo        string
	Status           string
}

// Rule lets messages into a subscription.
type Rule struct {
	Name   string
	Filter Filter
	// Text is the expression of an SQL filter.
	Text string
}

// Filter is the kind of a rule's filter.
type Filter string

// Filters.
const (
	TrueFilter        Filter = "true"
	FalseFilter       Filter = "false"
	SQLFilter         Filter = "sql"
	CorrelationFilter Filter = "correlation"
	UnknownFilter     Filter = "unknown"
)

// Namespace is what matters about a namespace.
type Namespace struct {
	Name string
	SKU  string // Basic, Standard, Premium
}

// The service's defaults stand in for what an answer leaves out.
func topicOf(p *sdk.TopicProperties) (Topic, error) {
	t := Topic{
		DuplicateDetection: or(p.RequiresDuplicateDetection, false),
		Partitioned:        or(p.EnablePartitioning, false),
		Ordered:            or(p.SupportOrdering, true),
		Status:             string(or(p.Status, sdk.EntityStatusActive)),
		MaxMessageBytes:    or(p.MaxMessageSizeInKilobytes, 0) * 1024,
	}
	var d durations
	t.DuplicateWindow = d.read("DuplicateDetectionHistoryTimeWindow", p.DuplicateDetectionHistoryTimeWindow, 10*time.Minute)
	t.TimeToLive = d.read("DefaultMessageTimeToLive", p.DefaultMessageTimeToLive, Forever)
	t.AutoDelete = d.read("AutoDeleteOnIdle", p.AutoDeleteOnIdle, Forever)
	return t, d.err
}

func subscriptionOf(p *sdk.SubscriptionProperties) (Subscription, error) {
	s := Subscription{
		Sessions:         or(p.RequiresSession, false),
		MaxDeliveryCount: int(or(p.MaxDeliveryCount, 10)),
		DeadLetterLate:   or(p.DeadLetteringOnMessageExpiration, false),
		ForwardTo:        or(p.ForwardTo, ""),
		Status:           string(or(p.Status, sdk.EntityStatusActive)),
	}
	var d durations
	s.LockDuration = d.read("LockDuration", p.LockDuration, time.Minute)
	s.TimeToLive = d.read("DefaultMessageTimeToLive", p.DefaultMessageTimeToLive, Forever)
	s.AutoDelete = d.read("AutoDeleteOnIdle", p.AutoDeleteOnIdle, Forever)
	return s, d.err
}

func ruleOf(p sdk.RuleProperties) Rule {
	r := Rule{Name: p.Name, Filter: UnknownFilter}
	switch f := p.Filter.(type) {
	case *sdk.TrueFilter:
		r.Filter = TrueFilter
	case *sdk.FalseFilter:
		r.Filter = FalseFilter
	case *sdk.CorrelationFilter:
		r.Filter = CorrelationFilter
	case *sdk.SQLFilter:
		r.Filter, r.Text = SQLFilter, f.Expression
	}
	return r
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
