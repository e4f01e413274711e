package minibus

import (
	"net/http"
	"net/url"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// view turns the broker's state into documents. Its methods are called with broker.mu held; what they return is a copy.
type view struct {
	b     *broker
	self  string // URL of what was asked for
	host  string // as the client calls the broker
	query string // that every link carries on
}

func newView(b *broker, r *http.Request) view {
	v := view{b: b, host: r.Host}
	if version := r.URL.Query().Get("api-version"); version != "" {
		v.query = "?api-version=" + url.QueryEscape(version)
	}
	v.self = v.link(r.URL.Path)
	return v
}

func (v view) link(path string) string {
	u := url.URL{Scheme: "http", Host: v.host, Path: path}
	return u.String() + v.query
}

func (v view) feed(title string) *atomFeed {
	return &atomFeed{
		Title: atomTitle{"text", title}, ID: v.self, Updated: atomTime(v.b.now()), Link: atomLink{"self", v.self},
	}
}

// nothing is what the service answers for a queue or topic that is missing: its clients know it by the title.
func (v view) nothing() *atomFeed { return v.feed("Publicly Listed Services") }

func (v view) entry(path, name string, t times, description any) atomEntry {
	link := v.link(path)
	return atomEntry{
		ID: link, Title: atomTitle{"text", name}, Published: atomTime(t.created), Updated: atomTime(t.updated),
		Author: topology.EmulatorName, Link: atomLink{"self", link}, Content: atomContent{"application/xml", description},
	}
}

// namespace tells of a Standard namespace: the message size is its.
func (v view) namespace() atomEntry {
	t := v.b.times
	for _, e := range v.b.entities {
		t.updated = max(t.updated, e.times.updated)
	}
	return v.entry("$namespaceinfo", topology.EmulatorName, t, namespaceInfo{
		I: instanceSchema, CreatedTime: atomTime(t.created), ModifiedTime: atomTime(t.updated),
		MessagingSKU: "Standard", Name: topology.EmulatorName, NamespaceType: "Messaging",
	})
}

// rule tells of a rule of a subscription. Rules are as old as their subscription: they come with it.
func (v view) rule(in *entity, r rules.Compiled) atomEntry {
	return v.entry(in.Path+"/Rules/"+r.Name, r.Name, in.times, ruleDescription{
		I: instanceSchema, Filter: describeFilter(r.Filter), Action: describeAction(r), CreatedAt: atomTime(in.times.created), Name: r.Name,
	})
}

// entity tells of a queue, a topic or a subscription.
func (v view) entity(e *entity) atomEntry {
	var description any
	switch e.Kind {
	case topology.QueueKind:
		description = v.queue(e)
	case topology.TopicKind:
		description = v.topic(e)
	default:
		description = v.subscription(e)
	}
	return v.entry(e.Path, e.Name, e.times, description)
}

const available = "Available"

func (v view) queue(e *entity) queueDescription {
	c := e.countDetails()
	return queueDescription{
		I: instanceSchema, LockDuration: topology.FormatDuration(e.Settings.Lock), MaxSizeInMegabytes: megabytes(e),
		RequiresDuplicateDetection: e.Settings.Duplicates > 0, DuplicateDetectionHistoryTimeWindow: topology.FormatDuration(e.Settings.Window),
		RequiresSession: e.Settings.RequiresSession, DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL),
		DeadLetteringOnMessageExpiration: e.Settings.DeadLetterLate, MaxDeliveryCount: e.Settings.MaxDelivery,
		EnableBatchedOperations: !e.Settings.Unbatched, SizeInBytes: e.size(), MessageCount: c.total(), Status: e.Settings.StatusText(),
		ForwardTo: v.address(e.ForwardTo), ForwardDeadLetteredMessagesTo: v.address(e.ForwardDeadTo),
		CreatedAt: atomTime(e.times.created), UpdatedAt: atomTime(e.times.updated), AccessedAt: atomTime(e.times.accessed),
		SupportOrdering: true, CountDetails: c, AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle), UserMetadata: e.Settings.Metadata, EntityAvailabilityStatus: available,
		MaxMessageSizeInKilobytes: content.MaxSize >> 10,
	}
}

func (v view) topic(e *entity) topicDescription {
	d := topicDescription{
		I: instanceSchema, DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL), MaxSizeInMegabytes: megabytes(e),
		RequiresDuplicateDetection: e.Settings.Duplicates > 0, DuplicateDetectionHistoryTimeWindow: topology.FormatDuration(e.Settings.Window),
		EnableBatchedOperations: !e.Settings.Unbatched, SizeInBytes: e.size(), Status: e.Settings.StatusText(), UserMetadata: e.Settings.Metadata,
		CreatedAt: atomTime(e.times.created), UpdatedAt: atomTime(e.times.updated), AccessedAt: atomTime(e.times.accessed),
		SupportOrdering: true, CountDetails: e.countDetails(), SubscriptionCount: len(e.subscriptions), AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle),
		EntityAvailabilityStatus: available, MaxMessageSizeInKilobytes: content.MaxSize >> 10,
	}
	for _, s := range e.subscriptions {
		for _, r := range s.Rules {
			if _, ok := r.Filter.(*rules.Correlation); ok {
				d.CorrelationFilterCount++
			} else {
				d.SQLFilterCount++ // the true filter is one for the service
			}
		}
	}
	return d
}

func (v view) subscription(e *entity) subscriptionDescription {
	c := e.countDetails()
	return subscriptionDescription{
		I: instanceSchema, LockDuration: topology.FormatDuration(e.Settings.Lock), RequiresSession: e.Settings.RequiresSession,
		DefaultMessageTimeToLive: topology.FormatDuration(e.Settings.TTL), DeadLetteringOnMessageExpiration: e.Settings.DeadLetterLate,
		MessageCount: c.total(), MaxDeliveryCount: e.Settings.MaxDelivery, EnableBatchedOperations: !e.Settings.Unbatched, Status: e.Settings.StatusText(),
		DeadLetteringOnFilterEvaluationExceptions: e.Settings.FilterErrors, UserMetadata: e.Settings.Metadata,
		ForwardTo: v.address(e.ForwardTo), ForwardDeadLetteredMessagesTo: v.address(e.ForwardDeadTo),
		CreatedAt: atomTime(e.times.created), UpdatedAt: atomTime(e.times.updated), AccessedAt: atomTime(e.times.accessed),
		CountDetails: c, AutoDeleteOnIdle: topology.FormatDuration(e.Settings.Idle), EntityAvailabilityStatus: available,
	}
}

// address is how the service names the target of a forward.
func (v view) address(to string) string {
	if to == "" {
		return ""
	}
	if e, _ := v.b.lookup(to); e != nil {
		to = e.Path // as its owner writes it
	}
	return "sb://" + v.host + "/" + to
}

func megabytes(e *entity) int { return max(1, e.quota()>>20) }

// countDetails counts as the service does: what is locked or deferred is active.
func (e *entity) countDetails() countDetails {
	c := countDetails{
		D:      "http://schemas.microsoft.com/netservices/2011/06/servicebus",
		Active: e.states[Active] + e.states[Deferred], Scheduled: e.states[Scheduled],
	}
	if e.dead != nil {
		c.DeadLetter, c.TransferDeadLetter = e.dead.log.live, e.transferDead.log.live
	}
	return c
}

// size is in bytes, with dead letters, and of a topic with its subscriptions.
func (e *entity) size() int {
	size := e.bytes
	for _, s := range e.subscriptions {
		size += s.size()
	}
	if e.dead != nil {
		size += e.dead.bytes + e.transferDead.bytes
	}
	return size
}
