package broker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What clients have changed is stored beside the configuration. It goes over the configuration for as long as that says
// of the entity what it said then: whoever edits the configuration means it.

// changeRecord is what is stored of an entity that a client has created, updated or deleted.
type changeRecord struct {
	Configured  uint64        // digest of what the configuration said then
	Deleted     bool          `json:",omitempty"`
	Made        bool          `json:",omitempty"` // anew, in the place of what is configured
	Kind        topology.Kind `json:",omitempty"`
	Path        string        `json:",omitempty"`
	Description string        `json:",omitempty"` // as in ATOM
	Rules       []string      `json:",omitempty"` // as in ATOM
}

func (e *Entity) storeChange() {
	var v atom.View
	r := changeRecord{Configured: e.configured, Made: e.made && e.configured != 0, Kind: e.Kind, Path: e.Path, Description: atom.TextOf(v.Entity(e.Tell()))}
	for _, rule := range e.Rules {
		r.Rules = append(r.Rules, atom.TextOf(v.Rule(e.Path, e.times.told(), rule)))
	}
	e.b.storeChange(e.Key, r)
}

// storeDrop remembers that a configured entity has been deleted; of another one nothing remains.
func (e *Entity) storeDrop() {
	if e.configured == 0 {
		e.b.journal.Delete(journal.Key(journal.KindChange, e.Key, 0))
		return
	}
	e.b.storeChange(e.Key, changeRecord{Configured: e.configured, Deleted: true})
}

// storable refuses a rule that would not be read back: what is stored is what the administration interface can say.
func storable(r rules.Compiled, in *Entity) error {
	_, err := atom.ReadRule([]byte(atom.TextOf(atom.View{}.Rule(in.Path, in.times.told(), r))))
	return err
}

func (b *Broker) storeChange(path string, r changeRecord) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has only strings and numbers
	}
	b.journal.Set(journal.Key(journal.KindChange, path, 0), text)
}

// restoreChanges applies what clients have changed to the configured entities.
func (b *Broker) restoreChanges() error {
	defer b.relink()
	if !b.journal.OnDisk() {
		return nil
	}
	// Shorter paths come first, and with them topics before their subscriptions.
	return b.journal.Each(journal.KindChange, func(path string, value []byte) error {
		var r changeRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("%w: change of %q: %w", journal.ErrRecord, path, err)
		}
		return b.restoreChange(path, r)
	})
}

func (b *Broker) restoreChange(path string, r changeRecord) error {
	e := b.entities[path]
	if b.digests[path] != r.Configured {
		b.log.Warn("the configuration of an entity has changed and goes over what clients had changed", "entity", path)
		b.journal.Delete(journal.Key(journal.KindChange, path, 0))
		return nil
	}
	if e != nil && (r.Deleted || r.Made) {
		b.forgetEntity(e)
		e = nil
	}
	if r.Deleted {
		return nil
	}
	p, err := b.parseChange(r, e)
	if err != nil {
		return fmt.Errorf("%w: change of %q: %w", journal.ErrRecord, path, err)
	}
	if p.Kind == topology.SubscriptionKind && p.Topic == "" {
		return nil // its topic is not there any more
	}
	if p.ForwardTo != "" && p.Settings.RequiresSession { // earlier versions took that
		b.log.Warn("an entity with sessions does not forward: it keeps its messages, and they can be received there", "entity", path, "forwardTo", p.ForwardTo)
		p.ForwardTo = ""
	}
	if e != nil {
		e.apply(p)
		return nil
	}
	if e, err = b.add(p.Description); err == nil {
		e.made = true
	}
	return err
}

// parseChange reads a stored description as a client's is read.
func (b *Broker) parseChange(r changeRecord, current *Entity) (*atom.Proposal, error) {
	to, refusal := atom.ParseTarget(r.Path)
	if refusal != nil {
		return nil, refusal
	}
	p := b.Propose(to, r.Kind, current)
	p.Ours = true
	if err := p.ReadText([]byte(r.Description)); err != nil {
		return nil, err
	}
	p.Rules = nil
	for _, text := range r.Rules {
		rule, err := atom.ReadRule([]byte(text))
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

// forgetEntity takes a configured entity out that had been deleted. Nothing is in it.
func (b *Broker) forgetEntity(e *Entity) {
	for _, part := range e.parts() {
		part.gone = true
		delete(b.entities, part.Key)
	}
	if e.parent != nil {
		e.parent.subscriptions = slices.DeleteFunc(e.parent.subscriptions, func(s *Entity) bool { return s == e })
	}
}
