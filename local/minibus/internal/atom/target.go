package atom

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Target is what the path of a request means. Topics' names may have slashes, so that a path is understood by the
// words between them:
//
//	$namespaceinfo
//	$Resources/queues, $Resources/topics
//	NAME                                  a queue or a topic
//	TOPIC/Subscriptions                   all of a topic
//	TOPIC/Subscriptions/NAME
//	TOPIC/Subscriptions/NAME/Rules        all of a subscription
//	TOPIC/Subscriptions/NAME/Rules/NAME
type Target struct {
	Kind                      TargetKind
	Name                      string // of a queue or topic
	Topic, Subscription, Rule string
}

// TargetKind says what a path means.
type TargetKind int

// The kinds, from the outside in. Those that have the name of an entity in them are listed at [Target].
const (
	AtRoot TargetKind = iota
	AtNamespace
	AtQueues
	AtTopics
	AtEntity
	AtSubscriptions // the first that is part of an entity
	AtSubscription
	AtRules
	AtRule
)

// Below says whether what is asked for is part of an entity.
func (k TargetKind) Below() bool { return k >= AtSubscriptions }

const (
	wordSubscriptions = "/subscriptions"
	wordRules         = "/rules"
)

// ParseTarget reads a path, whose words may be in upper or lower case.
func ParseTarget(path string) (Target, *Refusal) {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	lower := strings.ToLower(path)
	switch {
	case path == "":
		return Target{Kind: AtRoot}, nil
	case len(path) > 1024 || strings.Contains(path, "//") || strings.HasPrefix(path, "/") || strings.ContainsFunc(path, unicode.IsControl):
		return Target{}, Refuse(http.StatusBadRequest, "The path is no path of an entity: names have 1 to 1024 printable characters, and one slash between them.")
	case lower == "$namespaceinfo":
		return Target{Kind: AtNamespace}, nil
	case lower == "$resources/queues":
		return Target{Kind: AtQueues}, nil
	case lower == "$resources/topics":
		return Target{Kind: AtTopics}, nil
	case strings.HasPrefix(lower, "$"):
		return Target{}, Refuse(http.StatusNotFound, "There is no '%s' here: use $namespaceinfo, $Resources/queues or $Resources/topics.", path)
	}
	return parseEntity(path, lower), nil
}

// parseEntity reads a path below an entity. lower is path in lower case; both have the same length, or no word is found.
func parseEntity(path, lower string) Target {
	if len(path) != len(lower) {
		return Target{Kind: AtEntity, Name: path}
	}
	if topic, ok := strings.CutSuffix(lower, wordSubscriptions); ok {
		return Target{Kind: AtSubscriptions, Topic: path[:len(topic)]}
	}
	at := strings.Index(lower, wordSubscriptions+"/")
	if at < 0 {
		return Target{Kind: AtEntity, Name: path}
	}
	t := Target{Kind: AtSubscription, Topic: path[:at]}
	rest := at + len(wordSubscriptions) + 1
	path, lower = path[rest:], lower[rest:]
	if i := strings.LastIndex(lower, wordRules+"/"); i >= 0 {
		t.Kind, t.Rule, path = AtRule, path[i+len(wordRules)+1:], path[:i]
	} else if s, ok := strings.CutSuffix(lower, wordRules); ok {
		t.Kind, path = AtRules, path[:len(s)]
	}
	t.Subscription = path
	return t
}

// Path is the entity's path in the broker.
func (t Target) Path() string {
	if t.Topic == "" {
		return t.Name
	}
	if t.Subscription == "" {
		return t.Topic
	}
	return topology.SubscriptionPath(t.Topic, t.Subscription)
}
