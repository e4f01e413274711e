package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

// rebirth is the moment at which the entities' container was replaced: one life of the
// entities ends there and another one begins.
type rebirth struct {
	// began and ended are stamps on both sides of it. Nobody was served in between, or, for a
	// container that was made anew under those who use it, what was is in one life or the other.
	began, ended time.Time
	left, found  map[string]map[string]json.RawMessage // the documents of the old life's end and of the new one's beginning
}

// outlives is longer than any request: nobody who has read the old container acts on that in
// the restored one, whose documents have the revisions that they had.
const outlives = 45 * time.Second

// containerLost replaces the entities' container, once in a run. An empty one takes its
// place under everybody's feet; one with a backup's documents takes longer than a request,
// as it does in the service.
func containerLost(r *rand.Rand, _ int) fault {
	ago, away, who := upTo(r, 5*time.Second), outlives+upTo(r, 10*time.Second), 100+10*r.IntN(10)
	if r.IntN(2) == 0 {
		slow := upTo(r, 500*time.Millisecond)
		return fault{name: fmt.Sprintf("the entities' container is deleted and made anew, while everything travels for up to %v", slow), on: func(w *world) {
			time.Sleep(aSecond)
			w.net.slow(slow)
			var busy sync.WaitGroup
			busy.Go(func() { w.goOn(who) })
			time.Sleep(ago)
			w.storeDown.Lock()
			if w.rebirth() == nil {
				w.replace(w.cosmos(), nil)
			}
			w.storeDown.Unlock()
			w.goOn(who + 1)
			busy.Wait()
			w.net.slow(2 * time.Millisecond)
		}}
	}
	return fault{name: fmt.Sprintf("the entities' container is restored to now in %v, and everybody waits for it for %v", ago, away), on: func(w *world) {
		time.Sleep(aSecond)
		w.storeDown.Lock()
		backup, err := w.cosmos().Backup(database, entities)
		w.storeDown.Unlock()
		if err != nil {
			w.note("operator", "no backup: %v", err) // nobody has made the container yet
			return
		}
		time.Sleep(ago)
		w.restore(backup, away)
		w.goOn(who)
	}}
}

// aSecond is how far a container's time stamp tells it from the next one.
const aSecond = time.Second

func (w *world) restore(backup *minicosmos.Backup, away time.Duration) {
	w.storeDown.Lock()
	defer w.storeDown.Unlock()
	if w.rebirth() != nil {
		return
	}
	began := w.stamp()
	left := w.crashStore()
	time.Sleep(away)
	w.stores.Lock()
	defer w.stores.Unlock()
	err := w.startStore(left, func(store *minicosmos.Server) error {
		w.replace(store, backup)
		if r := w.rebirth(); r != nil {
			r.began = began
		}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("the store does not start after a crash: %v", err))
	}
	w.reinject()
}

// replace puts another container in the place of the entities' one.
func (w *world) replace(store *minicosmos.Server, backup *minicosmos.Backup) {
	r := &rebirth{began: w.stamp()}
	left, err := store.Restore(database, entities, backup)
	if err != nil {
		w.note("operator", "no container: %v", err) // nobody has made it yet
		return
	}
	r.ended, r.left, r.found = w.stamp(), byPlace(left.Documents()), byPlace(backup.Documents())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reborn = r
}

func (w *world) rebirth() *rebirth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reborn
}

// ends are an entity at the end of its first life and at the beginning of its second, if it
// has had two.
func (w *world) ends(key string) []numbered {
	r := w.rebirth()
	if r == nil {
		return nil
	}
	var left, found numbered
	_ = json.Unmarshal(r.left[key]["entity"], &left)
	_ = json.Unmarshal(r.found[key]["entity"], &found)
	return []numbered{left, found}
}

// goOn has clients of both kinds work in the new life.
func (w *world) goOn(who int) {
	var all sync.WaitGroup
	ids := []string{"k0", "k1", "k2"}
	for n, c := range []*client{w.client(who), w.client(who + 200), w.buyer(who + 400)} {
		all.Go(func() { c.run(context.Background(), ids, 3+n%2) })
	}
	all.Wait()
}

// moveIn writes the entities that nobody has written since the container is another one:
// only a write tells consumers of that.
func (w *world) moveIn() {
	if w.rebirth() == nil {
		return
	}
	for n, key := range w.calls.Keys() {
		c := w.client(52)
		c.kind = kindOf(key)
		for range 20 {
			var e struct {
				Place, Self string
				LastSeq     int64
			}
			doc := w.documents(entities)[key]["entity"]
			_ = json.Unmarshal([]byte(strings.Replace(string(doc), `"_self"`, `"self"`, 1)), &e)
			if e.LastSeq > 0 && strings.Contains(e.Self, "/colls/"+e.Place+"/") {
				break
			}
			if c.put(key, c.kind.put(fmt.Sprintf("moved-%d-%d", n, c.sent), c.sent%3)) != history.Answered {
				time.Sleep(time.Second)
			}
		}
	}
}

// start is what the new life of an entity begins with. The calls are those of the old one.
func (r *rebirth) start(key string, calls []history.Call) history.Start {
	docs := r.found[key]
	var e numbered
	_ = json.Unmarshal(docs["entity"], &e)
	from := history.Start{Exists: e.Version > 0 && !e.Deleted, Version: e.Version, Life: e.Incarnation.ID, Body: string(e.Data), Moves: true}
	seen := map[string]bool{"": true}
	for _, c := range calls {
		var receipt struct {
			Answer outbox.Answer
		}
		if doc := docs[outbox.ReceiptDocID(c.IdempotencyKey)]; !seen[c.IdempotencyKey] && json.Unmarshal(doc, &receipt) == nil {
			a := receipt.Answer
			c.Answer = history.Answer{Status: a.Status, ETag: a.ETag, Body: string(a.Body)}
			from.Receipts = append(from.Receipts, c)
		}
		seen[c.IdempotencyKey] = true
	}
	return from
}

// divide gives each life its calls. One that was under way when the container was replaced
// may have had its effect in either, or, sent again, in both. What it was told is believed
// where it names an incarnation that only the new life has.
func (r *rebirth) divide(calls []history.Call, fresh map[string]bool) (before, after []history.Call) {
	for _, c := range calls {
		switch wrote := c.Method != http.MethodGet; {
		case !c.Start.Before(r.ended):
			after = append(after, c)
		case c.End.Before(r.began) && c.Outcome != history.Open:
			before = append(before, c)
			if wrote && c.Outcome == history.Answered {
				after = append(after, writer(c))
			}
		case !wrote:
			c.Current = false // as old as a session read may be
			if _, life := history.Version(c.Answer.ETag); fresh[life] {
				after = append(after, c)
			} else {
				before = append(before, c)
			}
		default:
			open := c
			open.Outcome, open.Answer = history.Open, history.Answer{}
			before = append(before, open)
			if _, life := history.Version(c.Answer.ETag); c.Outcome != history.NotStored && !fresh[life] {
				c = open
			}
			c.Start = later(c.Start, r.ended)
			after = append(after, c)
		}
	}
	return before, after
}

// writer is a call of the old life in the history of the new one: it has no effect there, but
// what it has written may be shown.
func writer(c history.Call) history.Call {
	c.Outcome, c.Answer, c.IdempotencyKey, c.Trace = history.Open, history.Answer{}, "", ""
	return c
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
