package minibus

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// target is what the path of a request means. Topics' names may have slashes, so that a path is understood by the
// words between them:
//
//	$namespaceinfo
//	$Resources/queues, $Resources/topics
//	NAME                                  a queue or a topic
//	TOPIC/Subscriptions                   all of a topic
//	TOPIC/Subscriptions/NAME
//	TOPIC/Subscriptions/NAME/Rules        all of a subscription
//	TOPIC/Subscriptions/NAME/Rules/NAME
type target struct {
	kind                      targetKind
	name                      string // of a queue or topic
	topic, subscription, rule string
}

type targetKind int

const (
	atRoot targetKind = iota
	atNamespace
	atQueues
	atTopics
	atEntity
	atSubscriptions // the first that is part of an entity
	atSubscription
	atRules
	atRule
)

// below says whether what is asked for is part of an entity.
func (k targetKind) below() bool { return k >= atSubscriptions }

const (
	wordSubscriptions = "/subscriptions"
	wordRules         = "/rules"
)

// parseTarget reads a path, whose words may be in upper or lower case.
func parseTarget(path string) (target, *adminError) {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	lower := strings.ToLower(path)
	switch {
	case path == "":
		return target{kind: atRoot}, nil
	case len(path) > 1024 || strings.Contains(path, "//") || strings.HasPrefix(path, "/") || strings.ContainsFunc(path, unicode.IsControl):
		return target{}, refuse(http.StatusBadRequest, "The path is no path of an entity: names have 1 to 1024 printable characters, and one slash between them.")
	case lower == "$namespaceinfo":
		return target{kind: atNamespace}, nil
	case lower == "$resources/queues":
		return target{kind: atQueues}, nil
	case lower == "$resources/topics":
		return target{kind: atTopics}, nil
	case strings.HasPrefix(lower, "$"):
		return target{}, refuse(http.StatusNotFound, "There is no '%s' here: use $namespaceinfo, $Resources/queues or $Resources/topics.", path)
	}
	return parseEntity(path, lower), nil
}

// parseEntity reads a path below an entity. lower is path in lower case; both have the same length, or no word is found.
func parseEntity(path, lower string) target {
	if len(path) != len(lower) {
		return target{kind: atEntity, name: path}
	}
	if topic, ok := strings.CutSuffix(lower, wordSubscriptions); ok {
		return target{kind: atSubscriptions, topic: path[:len(topic)]}
	}
	at := strings.Index(lower, wordSubscriptions+"/")
	if at < 0 {
		return target{kind: atEntity, name: path}
	}
	t := target{kind: atSubscription, topic: path[:at]}
	rest := at + len(wordSubscriptions) + 1
	path, lower = path[rest:], lower[rest:]
	if i := strings.LastIndex(lower, wordRules+"/"); i >= 0 {
		t.kind, t.rule, path = atRule, path[i+len(wordRules)+1:], path[:i]
	} else if s, ok := strings.CutSuffix(lower, wordRules); ok {
		t.kind, path = atRules, path[:len(s)]
	}
	t.subscription = path
	return t
}

// path is the entity's path in the broker.
func (t target) path() string {
	if t.topic == "" {
		return t.name
	}
	if t.subscription == "" {
		return t.topic
	}
	return topology.SubscriptionPath(t.topic, t.subscription)
}

// thing is what the service calls the target of an operation.
func (t target) thing() string {
	switch t.kind {
	case atSubscription:
		return "Subscription"
	case atSubscriptions:
		return "Subscriptions"
	case atRule:
		return "Rule"
	case atRules:
		return "Rules"
	}
	return "Entity"
}

// operation is what the service calls an action on the target.
func (t target) operation(action string) string {
	switch {
	case action == entityWrite:
		return "CreateOrUpdate"
	case action == entityDelete:
		return "Delete"
	case t.kind == atSubscriptions || t.kind == atRules:
		return "Enumerate"
	}
	return "Get"
}
