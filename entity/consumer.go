package entity

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/inbox"
)

// Consumer is a further consumer of the events, beside the one that keeps the views of the kinds:
// with a subscription whose rule lets through what it hears, and models of its own. It has its
// own pace and its own dead letters, and nobody waits for it.
type Consumer struct {
	// Name is like a kind's. The settings call the consumer by it, and its container, unless
	// they say otherwise.
	Name string
	// Subscription is the setting that names its subscription, and ends in _SUBSCRIPTION.
	Subscription string
	// Hears are the kinds that it hears, each by Hear.
	Hears []Hearing
	// Policy says what a gap in the numbers means: inbox.Newest, where Hears leaves events out.
	Policy inbox.Policy
}

// Hearing is a kind as a consumer hears it; Hear makes one.
type Hearing struct {
	kind   Definition
	events []string // none: all
	err    error
}

// Hear has a consumer hear some events of k, all of them if none is named. M is what it keeps
// of one entity, a struct, and all that it keeps; apply returns it as it is after c. Like
// Kind.Apply it must be pure, and go by c.State where it does not know the name: an event that
// is replayed has one of its own. Its error means that the event can never be applied.
func Hear[T, V, M any](k Kind[T, V], apply func(m M, c Change[T]) (M, error), events ...string) Hearing {
	h := Hearing{kind: heard[T, M]{Kind[T, M]{Name: k.Name, Events: k.Events, Apply: apply}}, events: events}
	if apply == nil {
		h.err = errors.New("the function is nil: give Hear one that makes the model")
	}
	for n, name := range events {
		switch {
		case !k.knows(name):
			h.err = fmt.Errorf("the kind has no event %q", name)
		case slices.Contains(events[:n], name):
			h.err = fmt.Errorf("the event %q is there twice: name it once", name)
		}
	}
	return h
}

// heard is a kind in a consumer's ears: what that keeps of it is the whole model.
type heard[T, M any] struct{ Kind[T, M] }

func (h heard[T, M]) apply(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	t, err := h.told(e)
	if err != nil {
		return nil, err
	}
	return h.applyView(model, t.Change)
}

var subscriptionSetting = regexp.MustCompile(`^[A-Z][A-Z0-9_]*_SUBSCRIPTION$`)

// Kinds are what the consumer hears, checked: their Event and Apply are its own. The error says
// what keeps it from being called, and the remedy.
func (c Consumer) Kinds() (*Kinds, error) {
	kinds, err := c.kinds()
	if err != nil {
		return nil, fmt.Errorf("consumer %q: %w", c.Name, err)
	}
	return kinds, nil
}

func (c Consumer) kinds() (*Kinds, error) {
	if err := checkName(c.Name, "mailing-list"); err != nil {
		return nil, err
	}
	switch {
	case !subscriptionSetting.MatchString(c.Subscription):
		return nil, fmt.Errorf(`Subscription is %q: name the setting that its subscription is named by, in capitals and with _SUBSCRIPTION at the end, like "MAILING_SUBSCRIPTION"`, c.Subscription)
	case len(c.Hears) == 0:
		return nil, errors.New("it hears nothing: add a kind to Hears, with entity.Hear")
	}
	var heard []Definition
	for _, h := range c.Hears {
		switch {
		case h.kind == nil:
			return nil, errors.New("one of Hears is empty: make it with entity.Hear")
		case h.err != nil:
			return nil, fmt.Errorf("kind %q: %w", h.kind.name(), h.err)
		case len(h.events) > 0 && c.Policy != inbox.Newest:
			return nil, fmt.Errorf("kind %q: only some of its events are heard, and those between them would be waited for: set Policy to inbox.Newest", h.kind.name())
		}
		heard = append(heard, h.kind)
	}
	return NewKinds(heard...)
}

// replayFor is the application property of an event that is replayed: it has the name of the
// subscription that it is for.
const replayFor = "replayfor"

// Rule is the SQL rule that the consumer's subscription must have: it lets through what the
// consumer hears, and what is replayed for it. The name of the subscription stands in it as
// %SETTING%. A message's label is the type of its event.
func (c Consumer) Rule() string {
	var types, terms []string
	for _, h := range c.Hears {
		if len(h.events) == 0 {
			terms = append(terms, "sys.Label LIKE '"+eventType(h.kind.name(), "")+"%'")
		}
		for _, name := range h.events {
			types = append(types, "'"+eventType(h.kind.name(), name)+"'")
		}
	}
	if len(types) > 0 {
		terms = append([]string{"sys.Label IN (" + strings.Join(types, ", ") + ")"}, terms...)
	}
	return strings.Join(append(terms, replayFor+" = '%"+c.Subscription+"%'"), " OR ")
}

// Wants says whether the rule lets events of a type through.
func (c Consumer) Wants(eventType string) bool {
	kind, name, _ := strings.Cut(strings.TrimPrefix(eventType, typePrefix), ".")
	return slices.ContainsFunc(c.Hears, func(h Hearing) bool {
		return h.kind.name() == kind && (len(h.events) == 0 || slices.Contains(h.events, name))
	})
}

// Consume is the consumer's Service Bus function, like Kinds.Consume: in holds its models.
func (c Consumer) Consume(binding string, in Inbox, log *slog.Logger) (http.Handler, error) {
	kinds, err := c.Kinds()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return consuming{kinds.Consume(binding, in, log.With("consumer", c.Name)), c}, nil
}

// consuming is the function of a consumer.
type consuming struct {
	http.Handler
	of Consumer
}

// ConsumerOf is the consumer that a function was made of, if it was made by one's Consume.
func ConsumerOf(h http.Handler) (Consumer, bool) {
	c, ok := h.(consuming)
	return c.of, ok
}
