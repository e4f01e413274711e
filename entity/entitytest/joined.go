package entitytest

import (
	"encoding/json"
	"testing"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
)

// Joined is a further consumer of an app's events: App.Join makes one.
type Joined struct {
	t      testing.TB
	of     entity.Consumer
	kind   string
	kinds  *entity.Kinds
	models inboxtest.MemStore
	inbox  *inbox.Inbox
}

// Join has a consumer hear the app's events from now on: those that its rule lets through, each
// twice.
func (a *App[T, V]) Join(c entity.Consumer) *Joined {
	a.t.Helper()
	kinds, err := c.Kinds()
	if err != nil {
		a.t.Fatal(err)
	}
	j := &Joined{t: a.t, of: c, kind: a.kind, kinds: kinds}
	j.inbox = inbox.New(&j.models, kinds.Apply, inbox.Options{Policy: c.Policy, StartAnywhere: true})
	a.joined = append(a.joined, j)
	return j
}

// hear consumes an event as it comes from the subscription.
func (j *Joined) hear(sent outbox.Event) {
	j.t.Helper()
	if !j.of.Wants(sent.Type) {
		return
	}
	for range 2 {
		e, err := j.kinds.Event(sent.Envelope, outbox.Session(sent.Key))
		if err == nil {
			_, err = j.inbox.Once(j.t.Context(), e)
		}
		if err != nil {
			j.t.Fatalf("consumer %s, %s of %s: %v", j.of.Name, sent.Type, sent.Key, err)
		}
	}
}

// Model reads what the consumer keeps of an entity into m, which stays as it is if that is nothing.
func (j *Joined) Model(id string, m any) {
	j.t.Helper()
	stored, err := j.models.Load(j.t.Context(), outbox.Key(j.kind, id))
	if err == nil && stored.Revision != "" {
		err = json.Unmarshal(stored.Data, m)
	}
	if err != nil {
		j.t.Fatalf("model of %s: %v", id, err)
	}
}
