package entity

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/relaybox/relaybox/entity/document"
	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Reasons why an event is refused, beside those of package inbox.
const (
	// UnknownKind: nobody registered the kind.
	UnknownKind inbox.Reason = "unknown-kind"
	// UnknownEvent: the kind has no event of this name, and it does not say what the state is
	// now, so it cannot be applied all the same.
	UnknownEvent inbox.Reason = "unknown-event"
	// Disagreement: source, type, subject, partition key, session or data name different
	// entities.
	Disagreement inbox.Reason = "disagreement"
	// BadData: the data is not what an event of the kind carries.
	BadData inbox.Reason = "bad-data"
	// NotApplicable: the kind's Apply returned an error.
	NotApplicable inbox.Reason = "not-applicable"
	// Panicked: code did over this event, the kind's most likely.
	Panicked inbox.Reason = "panicked"
)

// Event reads the event in a message's body, for the kind that it belongs to. session is
// the message's, "" if it has none. What could not be applied to any view is refused with
// an *inbox.RefusedError here.
func (k *Kinds) Event(body []byte, session string) (inbox.Event, error) {
	e, err := inbox.Decode(body)
	if err != nil {
		return e, err
	}
	kind, id := outbox.SplitKey(e.Key)
	ofKind, typed := strings.CutPrefix(e.Type, typePrefix+kind+".")
	switch {
	case kind == "" || !e.Skipped() && (!typed || !validName.MatchString(ofKind)) || !strings.HasSuffix(e.Source, "/"+kind):
		return e, inbox.Refuse(Disagreement, "partitionkey %.80q, type %.80q and source %.80q are not of one kind", e.Key, e.Type, e.Source)
	case e.Subject != id:
		return e, inbox.Refuse(Disagreement, "the subject is %.80q, partitionkey says %.80q", e.Subject, id)
	case !request.ValidID(id):
		return e, inbox.Refuse(inbox.BadKey, "%.80q is no id of an entity", id)
	case session != "" && session != outbox.Session(e.Key):
		// Order and locks belong to the session: an event of another entity would race.
		return e, inbox.Refuse(Disagreement, "the message's session is %.80q, its event is of %.80q", session, e.Key)
	case e.Incarnation.ID == "":
		return e, inbox.Refuse(inbox.BadIncarnation, "the extension incarnation is missing")
	}
	d, ok := k.byName[kind]
	if !ok {
		return e, inbox.Refuse(UnknownKind, "nobody registered the kind %.40q; registered are: %s", kind, strings.Join(k.Names(), ", "))
	}
	if e.Skipped() {
		return e, nil // it says nothing about the entity
	}
	e.Decoded, err = d.hear(e, ofKind)
	return e, err
}

// told is the event of a kind, read.
type told[T any] struct {
	Change[T]
	state json.RawMessage // the whole of it; null when the entity is gone
}

// hear says what the event tells, or why it can never be applied.
func (k Kind[T, V]) hear(e inbox.Event, name string) (any, error) {
	t := told[T]{Change: Change[T]{Name: name, Seq: e.Seq, Time: e.Time}}
	var d eventData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return nil, inbox.Refuse(BadData, "the data of %s is not {id, state, detail}: %v", e.Type, err)
	}
	t.ID, t.Detail, t.state = d.ID, d.Detail, d.State
	gone := string(d.State) == "null"
	switch {
	case d.ID != e.Subject:
		return nil, inbox.Refuse(Disagreement, "the data is about %.80q, the subject is %.80q", d.ID, e.Subject)
	case d.State == nil && !k.knows(name):
		return nil, inbox.Refuse(UnknownEvent, "the kind %s has no event %.40q, and its data has no state", k.Name, name)
	case d.State == nil, gone && (name == Created || name == Updated):
		return nil, inbox.Refuse(BadData, "the data of %s has no state", e.Type)
	case !gone && name == Deleted:
		return nil, inbox.Refuse(BadData, "the data of %s has a state", e.Type)
	case gone:
		return t, nil
	}
	state, err := document.Read[T](d.State)
	if err != nil {
		return nil, inbox.Refuse(BadData, "the state in %s is no %s: %v", e.Type, k.Name, err)
	}
	t.State = &state
	return t, nil
}

// view is the read model of one entity as it is stored.
type view struct {
	ID string `json:"id"`
	// State is the whole document of the newest event, null once the entity is deleted.
	State json.RawMessage `json:"state"`
	// View is the kind's V.
	View json.RawMessage `json:"view,omitempty"`
}

// Apply makes the new read model of an entity from the stored one and an event that Event
// has let through. It is an inbox.Apply.
func (k *Kinds) Apply(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	kind, _ := outbox.SplitKey(e.Key)
	d, ok := k.byName[kind]
	if !ok {
		return nil, inbox.Refuse(UnknownKind, "nobody registered the kind %.40q", kind)
	}
	return d.apply(model, e)
}

func (k Kind[T, V]) apply(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	var stored view
	if len(model) > 0 {
		if err := json.Unmarshal(model, &stored); err != nil {
			return nil, fmt.Errorf("stored view: %w", err)
		}
	}
	t, err := k.told(e)
	if err != nil {
		return nil, err
	}
	next := view{ID: e.Subject, State: t.state, View: stored.View}
	if k.Apply != nil {
		if next.View, err = k.applyView(stored.View, t.Change); err != nil {
			return nil, err
		}
	}
	return document.Encode(next)
}

// told is what Event has read of e, or reads it if e did not come by way of that.
func (k Kind[T, V]) told(e inbox.Event) (told[T], error) {
	if e.Decoded == nil {
		var err error
		if e.Decoded, err = k.hear(e, strings.TrimPrefix(e.Type, eventType(k.Name, ""))); err != nil {
			return told[T]{}, err
		}
	}
	t, ok := e.Decoded.(told[T])
	if !ok {
		return told[T]{}, fmt.Errorf("event %q was read by something else than the kind %s", e.ID, k.Name)
	}
	return t, nil
}

// applyView lets the kind change its view, and keeps what another version of it wrote.
func (k Kind[T, V]) applyView(stored json.RawMessage, c Change[T]) (json.RawMessage, error) {
	var v V
	if len(stored) > 0 {
		var err error
		if v, err = document.Read[V](stored); err != nil {
			return nil, fmt.Errorf("stored view: %w", err)
		}
	}
	known, err := document.Encode(v)
	if err != nil {
		return nil, err
	}
	if v, err = k.Apply(v, c); err != nil {
		return nil, inbox.Refuse(NotApplicable, "kind %s: %v", k.Name, err)
	}
	next, err := document.Encode(v)
	if err != nil || len(stored) == 0 {
		return next, err
	}
	return document.Carry[V](stored, known, next)
}
