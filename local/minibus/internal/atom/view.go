package atom

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Entity is what there is to tell of an entity.
type Entity struct {
	topology.Description // what it forwards to is named as its owner writes it
	Times

	Quota     int // in bytes
	MessageKB int // of one message
	Size      int // in bytes, with dead letters, and of a topic with its subscriptions

	Active, Scheduled, DeadLetter, TransferDeadLetter int // messages
	Subscriptions, SQLFilters, CorrelationFilters     int // of a topic
}

// Times are in Unix milliseconds; 0 is not known.
type Times struct{ Created, Updated, Accessed int64 }

// View makes documents for one request. The zero value makes those that are stored: without links that lead anywhere.
type View struct {
	now   int64
	self  string // URL of what was asked for
	host  string // as the client calls the broker
	query string // that every link carries on
}

// NewView is a view for who has made a request. now is in Unix milliseconds.
func NewView(r *http.Request, now int64) View {
	v := View{now: now, host: r.Host}
	if version := r.URL.Query().Get("api-version"); version != "" {
		v.query = "?api-version=" + url.QueryEscape(version)
	}
	v.self = v.link(r.URL.Path)
	return v
}

func (v View) link(path string) string {
	u := url.URL{Scheme: "http", Host: v.host, Path: path}
	return u.String() + v.query
}

// Feed is one without entries.
func (v View) Feed(title string) *Feed {
	return &Feed{
		Title: atomTitle{"text", title}, ID: v.self, Updated: atomTime(v.now), Links: []atomLink{{"self", v.self}},
	}
}

// Continue tells where the entries behind those of a feed are: most clients follow that link, and stop where there is none.
func (v View) Continue(f *Feed, skip, top int) {
	between := "?"
	if v.query != "" {
		between = "&"
	}
	f.Links = append(f.Links, atomLink{"next", fmt.Sprintf("%s%s$skip=%d&$top=%d", v.self, between, skip, top)})
}

// Nothing is what the service answers for a queue or topic that is missing: its clients know it by the title.
func (v View) Nothing() *Feed { return v.Feed("Publicly Listed Services") }

func (v View) entry(path, name string, t Times, description any) Entry {
	link := v.link(path)
	return Entry{
		ID: link, Title: atomTitle{"text", name}, Published: atomTime(t.Created), Updated: atomTime(t.Updated),
		Author: topology.EmulatorName, Link: atomLink{"self", link}, Content: atomContent{"application/xml", description},
	}
}

// Namespace tells of a namespace.
func (v View) Namespace(t Times, tier topology.Tier) Entry {
	return v.entry("$namespaceinfo", topology.EmulatorName, t, namespaceInfo{
		I: instanceSchema, CreatedTime: atomTime(t.Created), ModifiedTime: atomTime(t.Updated),
		MessagingSKU: tier.SKU, Name: topology.EmulatorName, NamespaceType: "Messaging",
	})
}

// Rule tells of a rule of the subscription with a path. Rules are as old as their subscription: they come with it.
func (v View) Rule(in string, t Times, r rules.Compiled) Entry {
	return v.entry(in+"/Rules/"+r.Name, r.Name, t, ruleDescription{
		I: instanceSchema, Filter: describeFilter(r.Filter), Action: describeAction(r), CreatedAt: atomTime(t.Created), Name: r.Name,
	})
}

// Entity tells of a queue, a topic or a subscription.
func (v View) Entity(e Entity) Entry {
	var description any
	switch e.Kind {
	case topology.QueueKind:
		description = v.queue(e)
	case topology.TopicKind:
		description = v.topic(e)
	default:
		description = v.subscription(e)
	}
	return v.entry(e.Path, e.Name, e.Times, description)
}

const available = "Available"

func (v View) queue(e Entity) queueDescription {
	c := e.counts()
	return queueDescription{
		I: instanceSchema, LockDuration: topology.FormatDuration(e.Settings.Lock), MaxSizeInMegabytes: megabytes(e.Quota),
		RequiresDuplicateDetection: e.Settings.Duplicates > 0, DuplicateDetectionHistoryTimeWindow: topology.FormatDuration(e.Settings.Window),
		RequiresSession: e.Settings.RequiresSession, DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL),
		DeadLetteringOnMessageExpiration: e.Settings.DeadLetterLate, MaxDeliveryCount: e.Settings.MaxDelivery,
		EnableBatchedOperations: !e.Settings.Unbatched, SizeInBytes: e.Size, MessageCount: c.total(), Status: e.Settings.StatusText(),
		ForwardTo: v.address(e.ForwardTo), ForwardDeadLetteredMessagesTo: v.address(e.ForwardDeadTo),
		CreatedAt: atomTime(e.Created), UpdatedAt: atomTime(e.Updated), AccessedAt: atomTime(e.Accessed),
		EnablePartitioning: e.Settings.Partitioned, SupportOrdering: !e.Settings.Partitioned, CountDetails: c, AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle), UserMetadata: e.Settings.Metadata, EntityAvailabilityStatus: available,
		MaxMessageSizeInKilobytes: e.MessageKB, AuthorizationRules: describeKeys(e),
	}
}

func (v View) topic(e Entity) topicDescription {
	return topicDescription{
		I: instanceSchema, DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL), MaxSizeInMegabytes: megabytes(e.Quota),
		RequiresDuplicateDetection: e.Settings.Duplicates > 0, DuplicateDetectionHistoryTimeWindow: topology.FormatDuration(e.Settings.Window),
		EnableBatchedOperations: !e.Settings.Unbatched, SizeInBytes: e.Size, Status: e.Settings.StatusText(), UserMetadata: e.Settings.Metadata,
		CreatedAt: atomTime(e.Created), UpdatedAt: atomTime(e.Updated), AccessedAt: atomTime(e.Accessed),
		EnablePartitioning: e.Settings.Partitioned, SupportOrdering: !e.Settings.Partitioned, CountDetails: e.counts(), SubscriptionCount: e.Subscriptions, AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle),
		EntityAvailabilityStatus: available, MaxMessageSizeInKilobytes: e.MessageKB, AuthorizationRules: describeKeys(e), SQLFilterCount: e.SQLFilters, CorrelationFilterCount: e.CorrelationFilters,
	}
}

func (v View) subscription(e Entity) subscriptionDescription {
	c := e.counts()
	return subscriptionDescription{
		I: instanceSchema, LockDuration: topology.FormatDuration(e.Settings.Lock), RequiresSession: e.Settings.RequiresSession,
		DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL), DeadLetteringOnMessageExpiration: e.Settings.DeadLetterLate,
		MessageCount: c.total(), MaxDeliveryCount: e.Settings.MaxDelivery, EnableBatchedOperations: !e.Settings.Unbatched, Status: e.Settings.StatusText(),
		DeadLetteringOnFilterEvaluationExceptions: e.Settings.FilterErrors, UserMetadata: e.Settings.Metadata,
		ForwardTo: v.address(e.ForwardTo), ForwardDeadLetteredMessagesTo: v.address(e.ForwardDeadTo),
		CreatedAt: atomTime(e.Created), UpdatedAt: atomTime(e.Updated), AccessedAt: atomTime(e.Accessed),
		CountDetails: c, AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle), EntityAvailabilityStatus: available,
	}
}

// address is how the service names the target of a forward.
func (v View) address(to string) string {
	if to == "" {
		return ""
	}
	return "sb://" + v.host + "/" + to
}

func (e Entity) counts() countDetails {
	return countDetails{
		D:      "http://schemas.microsoft.com/netservices/2011/06/servicebus",
		Active: e.Active, Scheduled: e.Scheduled, DeadLetter: e.DeadLetter, TransferDeadLetter: e.TransferDeadLetter,
	}
}

// TextOf is the description in an entry as text. ReadText and ReadRule read it.
func TextOf(e Entry) string {
	text, err := xml.Marshal(e.Content.Description)
	if err != nil {
		panic(err) // it has only strings and numbers
	}
	return string(text)
}
