package atom

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Proposal is what a client wants an entity to be.
type Proposal struct {
	topology.Description

	detect   bool // RequiresDuplicateDetection
	existing bool
	Ours     bool // it comes from our store: what is not allowed any more, or was configured, is taken as it is
	quotaMB  int  // what the entity has shown as MaxSizeInMegabytes
	tier     topology.Tier
}

// Defaults of the service for what a client does not say.
const (
	serviceLock        = time.Minute
	serviceMaxDelivery = 10
	serviceWindow      = 10 * time.Minute
)

// Propose begins with the service's defaults for an entity that is new, of which kind, path, name and topic are known.
func Propose(d topology.Description, quota int, tier topology.Tier) *Proposal {
	d.Settings = topology.Settings{Window: serviceWindow}
	if d.Kind != topology.TopicKind {
		d.Settings.Lock, d.Settings.MaxDelivery = serviceLock, serviceMaxDelivery
	}
	if d.Kind == topology.SubscriptionKind {
		d.Settings.Window = 0
		d.Rules = []rules.Compiled{{Name: rules.DefaultName, Filter: rules.Everything{}}}
	}
	return &Proposal{Description: d, quotaMB: megabytes(quota), tier: tier}
}

// ProposeChange begins with an entity as it is.
func ProposeChange(d topology.Description, quota int, tier topology.Tier) *Proposal {
	return &Proposal{Description: d, existing: true, detect: d.Settings.Duplicates > 0, quotaMB: megabytes(quota), tier: tier}
}

// megabytes is a quota in bytes as it is shown.
func megabytes(quota int) int { return max(1, quota>>20) }

// element readers, by name. They know every element that a client may send; the text says what is wrong with a value.
type elementReader func(p *Proposal, e Element) error

var sharedElements = map[string]elementReader{
	"DefaultMessageTimeToLive":  lasting(func(p *Proposal) *time.Duration { return &p.Settings.TTL }, time.Second),
	"AutoDeleteOnIdle":          lasting(func(p *Proposal) *time.Duration { return &p.Settings.Idle }, 5*time.Minute),
	"EnableBatchedOperations":   flag(func(p *Proposal, on bool) error { p.Settings.Unbatched = !on; return nil }),
	"Status":                    readStatus,
	"UserMetadata":              readMetadata,
	"EnablePartitioning":        flag(readPartitioning),
	"EnableExpress":             off("express entities are not supported here"),
	"IsAnonymousAccessible":     off("every client needs a token here"),
	"AuthorizationRules":        readKeys,
	"MaxMessageSizeInKilobytes": readMessageSize,
	"SupportOrdering":           ignored, "SizeInBytes": ignored, "MessageCount": ignored, "CreatedAt": ignored, "UpdatedAt": ignored,
	"AccessedAt": ignored, "CountDetails": ignored, "EntityAvailabilityStatus": ignored,
}

var queueElements = map[string]elementReader{
	"LockDuration":                     between(func(p *Proposal) *time.Duration { return &p.Settings.Lock }, 5*time.Second, 5*time.Minute),
	"MaxDeliveryCount":                 number(func(p *Proposal) *int { return &p.Settings.MaxDelivery }, 1, 2000),
	"DeadLetteringOnMessageExpiration": flag(func(p *Proposal, on bool) error { p.Settings.DeadLetterLate = on; return nil }),
	"RequiresSession":                  flag(func(p *Proposal, on bool) error { return p.fixed(&p.Settings.RequiresSession, on, "RequiresSession") }),
	"ForwardTo":                        func(p *Proposal, e Element) error { p.ForwardTo = entityIn(e.text()); return nil },
	"ForwardDeadLetteredMessagesTo":    func(p *Proposal, e Element) error { p.ForwardDeadTo = entityIn(e.text()); return nil },
}

var topicElements = map[string]elementReader{
	"MaxSizeInMegabytes":                  readQuota,
	"RequiresDuplicateDetection":          flag(func(p *Proposal, on bool) error { return p.fixed(&p.detect, on, "RequiresDuplicateDetection") }),
	"DuplicateDetectionHistoryTimeWindow": between(func(p *Proposal) *time.Duration { return &p.Settings.Window }, 20*time.Second, 7*24*time.Hour),
	"FilteringMessagesBeforePublishing":   ignored, "SubscriptionCount": ignored, "SqlFilterCount": ignored, "CorrelationFilterCount": ignored,
	"EnableSubscriptionPartitioning": off("subscriptions are as their topic here"),
}

var subscriptionElements = map[string]elementReader{
	"DeadLetteringOnFilterEvaluationExceptions": flag(func(p *Proposal, on bool) error { p.Settings.FilterErrors = on; return nil }),
	"DefaultRuleDescription":                    readDefaultRule,
}

// descriptionOf is the element that describes a kind, and the tables that read it.
var descriptionOf = map[topology.Kind]struct {
	element string
	tables  []map[string]elementReader
}{
	topology.QueueKind:        {"QueueDescription", []map[string]elementReader{sharedElements, queueElements, topicElements}},
	topology.TopicKind:        {"TopicDescription", []map[string]elementReader{sharedElements, topicElements}},
	topology.SubscriptionKind: {"SubscriptionDescription", []map[string]elementReader{sharedElements, queueElements, subscriptionElements}},
}

// ReadDescription finds the description of one of the kinds in an ATOM entry.
func ReadDescription(text []byte, kinds ...topology.Kind) (topology.Kind, Element, error) {
	var fault error
	for _, k := range kinds {
		d, err := readEntry(text, descriptionOf[k].element)
		if err == nil {
			return k, d, nil
		}
		fault = err
	}
	return 0, Element{}, fault
}

// ReadText reads a description without its entry, as TextOf writes it.
func (p *Proposal) ReadText(text []byte) error {
	e, err := parseElement(text)
	if err != nil {
		return err
	}
	return p.Read(e)
}

// Read takes over every element of a description.
func (p *Proposal) Read(description Element) error {
	of := descriptionOf[p.Kind]
	for _, child := range description.Children {
		i := slices.IndexFunc(of.tables, func(t map[string]elementReader) bool { return t[child.XMLName.Local] != nil })
		if i < 0 {
			return fmt.Errorf("%s: a %s has no such element; remove it", child.XMLName.Local, of.element)
		}
		if err := of.tables[i][child.XMLName.Local](p, child); err != nil {
			return fmt.Errorf("%s: %w", child.XMLName.Local, err)
		}
	}
	p.Settings.Duplicates = 0
	if p.detect {
		p.Settings.Duplicates = p.Settings.Window
	}
	return nil
}

var (
	queueName        = regexp.MustCompile(`^[A-Za-z0-9]$|^[A-Za-z0-9][\w\-./~]{0,258}[A-Za-z0-9]$`)
	subscriptionName = regexp.MustCompile(`^[A-Za-z0-9]$|^[A-Za-z0-9][\w\-.]{0,48}[A-Za-z0-9]$`)
)

// CheckName is for entities that are new.
func (p *Proposal) CheckName() error {
	switch {
	case p.Kind == topology.SubscriptionKind && !subscriptionName.MatchString(p.Name):
		return fmt.Errorf("the name '%s' is no subscription's: use 1 to 50 letters, digits and - _ . inside, letters or digits at both ends", p.Name)
	case p.Kind != topology.SubscriptionKind && !queueName.MatchString(p.Name):
		return fmt.Errorf("the name '%s' is no queue's or topic's: use 1 to 260 letters, digits and - _ . / ~ inside, letters or digits at both ends", p.Name)
	}
	return nil
}

// fixed sets what cannot be changed later.
func (p *Proposal) fixed(is *bool, want bool, name string) error {
	if p.existing && *is != want {
		return fmt.Errorf("the value of %s cannot be changed once the entity exists: delete it and create it anew", name)
	}
	*is = want
	return nil
}

func ignored(*Proposal, Element) error { return nil }

// flag reads true or false.
func flag(set func(*Proposal, bool) error) elementReader {
	return func(p *Proposal, e Element) error {
		on, err := strconv.ParseBool(e.text())
		if err != nil {
			return fmt.Errorf("'%s' must be true or false", e.text())
		}
		return set(p, on)
	}
}

// off reads a flag that may only be false.
func off(why string) elementReader {
	return flag(func(_ *Proposal, on bool) error {
		if on {
			return fmt.Errorf("%s: leave it out or send false", why)
		}
		return nil
	})
}

// number, between and lasting read a value in a range. A value that the entity has already is no change.
func number(field func(*Proposal) *int, least, most int) elementReader {
	return func(p *Proposal, e Element) error {
		n, err := strconv.Atoi(e.text())
		if err != nil || (n < least || n > most) && n != *field(p) && !p.Ours {
			return fmt.Errorf("'%s' must be a whole number from %d to %d", e.text(), least, most)
		}
		*field(p) = n
		return nil
	}
}

func between(field func(*Proposal) *time.Duration, least, most time.Duration) elementReader {
	return func(p *Proposal, e Element) error {
		d, ok := topology.ParseDuration(e.text())
		if !ok || (d < least || d > most) && d != *field(p) && !p.Ours {
			return fmt.Errorf("'%s' must be an ISO 8601 duration from %s to %s", e.text(), topology.FormatDuration(least), topology.FormatDuration(most))
		}
		*field(p) = d
		return nil
	}
}

// lasting reads a duration that may be for ever, which is 0 here: the service writes its longest for that.
func lasting(field func(*Proposal) *time.Duration, least time.Duration) elementReader {
	return func(p *Proposal, e Element) error {
		d, ok := topology.ParseDuration(e.text())
		switch {
		case !ok && topology.IsDuration(e.text()): // too long for us
			d = 0
		case !ok || d < least && d != *field(p) && !p.Ours:
			return fmt.Errorf("'%s' must be an ISO 8601 duration of %s or more", e.text(), topology.FormatDuration(least))
		}
		*field(p) = d
		return nil
	}
}

// readQuota reads MaxSizeInMegabytes; an entity whose quota is the broker's keeps that.
func readQuota(p *Proposal, e Element) error {
	if p.Settings.MaxMB == 0 && e.text() == strconv.Itoa(p.quotaMB) {
		return nil
	}
	return number(func(p *Proposal) *int { return &p.Settings.MaxMB }, 1, 81920)(p, e)
}

// readMessageSize reads what an entity takes; one that says what its tier says keeps to that.
func readMessageSize(p *Proposal, e Element) error {
	if p.Settings.MaxMessageKB == 0 && e.text() == strconv.Itoa(p.tier.MessageKB) {
		return nil
	}
	return number(func(p *Proposal) *int { return &p.Settings.MaxMessageKB }, 1, p.tier.LargestKB)(p, e)
}

// readPartitioning reads what queues and topics of Standard namespaces may be; a Premium one is partitioned as a whole.
func readPartitioning(p *Proposal, on bool) error {
	switch {
	case on && p.Kind == topology.SubscriptionKind:
		return errors.New("a subscription is as its topic: leave it out or send false")
	case on && !p.existing && p.tier == topology.Premium:
		return errors.New("a Premium namespace has no partitioned entities among others: leave it out or send false")
	}
	return p.fixed(&p.Settings.Partitioned, on, "EnablePartitioning")
}

func readStatus(p *Proposal, e Element) error {
	switch s := e.text(); s {
	case topology.StatusActive, topology.StatusDisabled, topology.StatusSendDisabled, topology.StatusReceiveDisabled:
		p.Settings.Status = s
		return nil
	default:
		return fmt.Errorf("'%s' must be Active, Disabled, SendDisabled or ReceiveDisabled", s)
	}
}

func readMetadata(p *Proposal, e Element) error {
	if len([]rune(e.Text)) > 1024 {
		return fmt.Errorf("it has %d characters; 1024 are allowed", len([]rune(e.Text)))
	}
	p.Settings.Metadata = e.Text
	return nil
}

func readDefaultRule(p *Proposal, e Element) error {
	if p.existing {
		return nil // it was for the beginning
	}
	r, err := readRule(e)
	if err != nil {
		return err
	}
	r.Name = cmp.Or(r.Name, rules.DefaultName)
	p.Rules = []rules.Compiled{r}
	return nil
}

// entityIn is the name in what a client writes for a forward: a URL of this namespace, or the name.
func entityIn(text string) string {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		_, text, _ = strings.Cut(rest, "/")
	}
	return strings.Trim(text, "/")
}
