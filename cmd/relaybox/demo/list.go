package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// The second consumer's container, and the setting that names its subscription.
const (
	listContainer    = "mailing-list"
	listSubscription = "MAILING_SUBSCRIPTION"
)

// entryDoc is what the second consumer stores for one profile.
type entryDoc struct {
	LastSeq int64 `json:"lastSeq"`
	Gaps    int64 `json:"gaps"`
	Data    struct {
		Address string `json:"address"`
	} `json:"data"`
}

func readList(docs []json.RawMessage) (map[string]*entryDoc, error) {
	found := map[string]*entryDoc{}
	for _, text := range docs {
		var h header
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, fmt.Errorf("read an entry's document: %w", err)
		}
		e := new(entryDoc)
		if err := json.Unmarshal(text, e); err != nil {
			return nil, fmt.Errorf("read the entry of %q: %w", h.Key, err)
		}
		if h.Kind != "model" || found[h.Key] != nil {
			return nil, fmt.Errorf("the mailing list has a document %q of kind %q for %s: nothing but one model was to be stored", h.ID, h.Kind, h.Key)
		}
		found[h.Key] = e
	}
	return found, nil
}

// heard are the events of a profile that the second consumer's rule lets through.
var heard = []string{"created", "email-changed", "deleted"}

// entryOf is the number and the address that the list must have at a history's end.
func entryOf(events []expected) (seq int64, address string) {
	for i, e := range events {
		if !slices.Contains(heard, e.name) {
			continue
		}
		seq, address = int64(i+1), ""
		if p, ok := e.state.(person); ok {
			address = p.Email
		}
	}
	return seq, address
}

// checkList compares the second consumer's entry with the profile at the history's end.
func (v *verdict) checkList(h *history, e *entryDoc) {
	if h.kind != profiles {
		if e != nil {
			v.broken = append(v.broken, broken(listEqual, "%s: the list has what is no profile", h.key))
		}
		return
	}
	seq, address := entryOf(h.events)
	last, _ := h.states[len(h.states)-1].(person)
	switch {
	case e == nil && seq == 0:
		return
	case e == nil:
		v.broken = append(v.broken, broken(listEqual, "%s: the list has no entry", h.key))
	case e.Data.Address != last.Email || address != last.Email:
		v.broken = append(v.broken, broken(listEqual, "%s: the list has %q, the profile %q", h.key, e.Data.Address, last.Email))
	case e.LastSeq != seq || e.Gaps != 0:
		v.broken = append(v.broken, broken(listEqual, "%s: the entry stands at event %d with %d gaps, the last that was to be heard is %d", h.key, e.LastSeq, e.Gaps, seq))
	default:
		v.listed++
		return
	}
	v.unlisted++
}

// subscriptions are the paths of those of the app's consumers.
func (r *run) subscriptions() []string {
	topic := r.stack.Settings["EVENTS_TOPIC"] + "/Subscriptions/"
	all := []string{topic + r.stack.Settings["EVENTS_SUBSCRIPTION"], topic + r.stack.Settings[listSubscription]}
	if r.fleet != nil {
		all = append(all, topic+r.stack.Settings["CACHE_SUBSCRIPTION"])
	}
	return all
}

// consumed says whether the consumers have had what is in their subscriptions.
func (r *run) consumed(ctx context.Context) bool {
	if stream, ok := r.audit.(*streamAudit); ok {
		return stream.consumed(ctx)
	}
	return !slices.ContainsFunc(r.subscriptions(), func(path string) bool { return r.stack.Bus.Counts(path).Active > 0 })
}
