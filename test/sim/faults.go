package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
)

// fault is one thing that goes wrong, as the seed has drawn it.
type fault struct {
	at, lasts time.Duration
	name      string
	on, off   func(w *world) // off may be nil
	// One that the stores know is set here, so that several can be on at once.
	store *minicosmos.Fault
	bus   *minibus.Fault
}

func (f fault) String() string {
	if f.lasts > 0 {
		return fmt.Sprintf("at %v for %v: %s", f.at, f.lasts, f.name)
	}
	return fmt.Sprintf("at %v: %s", f.at, f.name)
}

// window is the time in which faults begin.
const window = 12 * time.Second

// plan draws the faults of a run, by their time.
func (w *world) plan() []fault {
	if w.Calm {
		return nil
	}
	r, first := w.random, draw
	if w.alone != nil {
		first = w.alone
	}
	all := make([]fault, 0, 8)
	for range 2 + r.IntN(7) {
		f := first(r, len(w.instances))
		f.at = begins(r)
		all = append(all, f)
	}
	for range w.further.IntN(2) {
		if w.alone != nil {
			break
		}
		f := drawFurther(w.further, len(w.instances))
		f.at = begins(w.further)
		all = append(all, f)
	}
	if last := w.newestFault(); last != nil {
		f := last(w.newest, len(w.instances))
		f.at = begins(w.newest) / 2 // while the clients are there
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b fault) int { return int(a.at - b.at) })
	return all
}

// newestFault is the one that the others do not know of, nil for none.
func (w *world) newestFault() func(r *rand.Rand, instances int) fault {
	switch drawn := w.newest.IntN(5) == 0; {
	case w.alone != nil:
		return nil
	case w.too != nil:
		return w.too
	case drawn:
		return containerLost
	}
	return nil
}

func begins(r *rand.Rand) time.Duration {
	return 200*time.Millisecond + time.Duration(r.Int64N(int64(window))).Round(time.Millisecond)
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// upTo draws a duration.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	return (50*time.Millisecond + time.Duration(r.Int64N(int64(d)))).Round(10 * time.Millisecond)
}

// draw is one fault.
func draw(r *rand.Rand, instances int) fault {
	i := r.IntN(instances)
	switch r.IntN(15) {
	case 0, 1:
		return dies(r, i)
	case 2:
		return fault{name: fmt.Sprintf("instance %d is killed", i), on: func(w *world) { w.instances[i].killAll() }}
	case 3:
		return freezes(r, i)
	case 4:
		return parts(r, i)
	case 5:
		return outage(r)
	case 6, 7, 8:
		return storeFault(r)
	case 9, 10:
		return busFault(r)
	case 11:
		return resend(r)
	case 12:
		return fault{name: "every dispatcher's timer fires at once", on: (*world).fireTimers}
	case 13:
		return junk(r)
	default:
		return other(r)
	}
}

// drawFurther is one of the faults that the first ones know nothing of.
func drawFurther(r *rand.Rand, instances int) fault {
	switch r.IntN(5) {
	case 0:
		return poison(r, instances)
	case 1, 2:
		return storeDies(r, instances)
	default:
		return diesReading(r, instances)
	}
}

func dies(r *rand.Rand, i int) fault {
	write, after, host, again := 1+r.IntN(40), r.IntN(2) == 0, r.IntN(4) == 0, r.IntN(3) == 0
	f := fault{name: fmt.Sprintf("instance %d: the %s dies at its write %d from here, after it: %v; and the next one too: %v", i, pick2(host, "host", "handler"), write, after, again)}
	f.on = func(w *world) {
		h, handler := w.instances[i].nodes()
		if !host {
			h = handler
		}
		if h != nil {
			h.dieAt(write, after)
		}
		if again {
			w.mu.Lock()
			w.births = append(w.births, birth{w.instances[i].name, write, !after})
			w.mu.Unlock()
		}
	}
	return f
}

func diesReading(r *rand.Rand, instances int) fault {
	i, read, host := r.IntN(instances), 1+r.IntN(40), r.IntN(4) == 0
	return fault{name: fmt.Sprintf("instance %d: the %s dies at its read %d from here", i, pick2(host, "host", "handler"), read), on: func(w *world) {
		h, handler := w.instances[i].nodes()
		if !host {
			h = handler
		}
		if h != nil {
			h.dieReading(read)
		}
	}}
}

func pick2(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func (i *instance) killAll() {
	host, handler := i.nodes()
	for _, n := range []*node{handler, host} {
		if n != nil {
			n.kill()
		}
	}
}

func freezes(r *rand.Rand, i int) fault {
	d := pick(r, 2*time.Second, 7*time.Second, 14*time.Second, 45*time.Second, 100*time.Second)
	which := r.IntN(3)
	return fault{
		name: fmt.Sprintf("instance %d freezes for %v: %s", i, d, [...]string{"host and handler", "the host", "the handler"}[which]),
		on: func(w *world) {
			host, handler := w.instances[i].nodes()
			for n, p := range []*node{host, handler} {
				if p != nil && which != 2-n {
					p.freeze(d)
				}
			}
		},
	}
}

func parts(r *rand.Rand, i int) fault {
	server := pick(r, storeName, busName)
	set := func(off bool) func(*world) {
		return func(w *world) {
			host, handler := w.instances[i].nodes()
			for _, p := range []*node{host, handler} {
				if p != nil {
					p.part(server, off)
				}
			}
		}
	}
	return fault{lasts: upTo(r, 20*time.Second), name: fmt.Sprintf("instance %d is cut off from the %s", i, server), on: set(true), off: set(false)}
}

func outage(r *rand.Rand) fault {
	server := pick(r, storeName, busName)
	lasts := upTo(r, 15*time.Second)
	if r.IntN(15) == 0 {
		lasts = 5 * time.Minute // longer than a message is held
	}
	return fault{
		lasts: lasts, name: "the " + server + " is away",
		on:  func(w *world) { w.net.hide(server, true) },
		off: func(w *world) { w.net.hide(server, false) },
	}
}

func storeFault(r *rand.Rand) fault {
	f := &minicosmos.Fault{Chance: 0.1 + 0.9*r.Float64()}
	f.Do = pick(r, minicosmos.Throttle, minicosmos.RetryWith, minicosmos.Gone, minicosmos.Unavailable, minicosmos.Timeout, minicosmos.NoSession,
		minicosmos.Broken, minicosmos.Delay, minicosmos.DropBefore, minicosmos.DropAfter, minicosmos.DropAfter, minicosmos.DropAfter,
		minicosmos.Stale, minicosmos.Stale, minicosmos.Stale, minicosmos.Split, minicosmos.Budget)
	lasts := upTo(r, 6*time.Second)
	switch f.Do {
	case minicosmos.Delay:
		f.Delay = minicosmos.Duration(upTo(r, 15*time.Second))
	case minicosmos.Stale:
		f.Delay, f.Chance, lasts = minicosmos.Duration(upTo(r, 20*time.Second)), 0, 4*lasts
	case minicosmos.Throttle:
		f.Delay = minicosmos.Duration(upTo(r, 2*time.Second))
	case minicosmos.Split:
		f.Times, f.Chance = 1+r.IntN(3), 0.1
	case minicosmos.Budget:
		f.Chance, f.RequestUnits = 0, float64(20+r.IntN(200))
	}
	if f.Do != minicosmos.Stale && r.IntN(3) == 0 {
		f.Container = pick(r, entities, views)
	}
	if f.Do == minicosmos.DropAfter && r.IntN(2) == 0 {
		f.On, f.Times, f.Chance = minicosmos.OpBatch, 1+r.IntN(3), 0
	}
	return fault{lasts: lasts, name: fmt.Sprintf("store: %s %s %s chance %.2f times %d delay %v", f.Do, f.On, f.Container, f.Chance, f.Times, time.Duration(f.Delay)), store: f}
}

func busFault(r *rand.Rand) fault {
	f := &minibus.Fault{Chance: 0.1 + 0.9*r.Float64()}
	f.On = pick(r, minibus.OnSend, minibus.OnSend, minibus.OnReceive, minibus.OnSettle, minibus.OnManage, minibus.OnAttach, minibus.OnAccept)
	switch f.On {
	case minibus.OnAccept:
		f.Do, f.Chance = minibus.Reorder, 0
	case minibus.OnAttach:
		f.Do = pick(r, minibus.Refuse, minibus.Busy, minibus.DropBefore)
	default:
		effects := []minibus.Effect{minibus.Refuse, minibus.Busy, minibus.Delay, minibus.Stall, minibus.DropBefore, minibus.DropAfter, minibus.DropAfter}
		if f.On == minibus.OnReceive || f.On == minibus.OnSettle {
			effects = append(effects, minibus.LoseLock, minibus.LoseLock)
		}
		if f.On == minibus.OnSettle {
			effects = append(effects, minibus.Duplicate, minibus.Duplicate)
		}
		f.Do = pick(r, effects...)
	}
	if f.Do == minibus.Delay {
		f.Delay = minibus.Duration(upTo(r, 15*time.Second))
	}
	if f.Do == minibus.LoseLock || f.On == minibus.OnReceive && f.Do == minibus.DropAfter || f.Do == minibus.Duplicate {
		// Each uses up a delivery of a message.
		f.Times, f.Chance = 1+r.IntN(4), 0
	}
	return fault{lasts: upTo(r, 8*time.Second), name: fmt.Sprintf("bus: %s on %s chance %.2f times %d delay %v", f.Do, f.On, f.Chance, f.Times, time.Duration(f.Delay)), bus: f}
}

// resend sends what the topic has seen once more, long after the broker has forgotten it.
func resend(r *rand.Rand) fault {
	seed := r.Uint64()
	return fault{lasts: 22*time.Second + upTo(r, 10*time.Second), name: "old events are sent again when this is over", on: func(*world) {}, off: func(w *world) {
		r := rand.New(rand.NewPCG(seed, 0))
		var copies []*azservicebus.Message
		for _, m := range w.broker().Peek(watchPath) {
			if m.Properties["junk"] == nil && r.IntN(3) == 0 {
				copies = append(copies, &azservicebus.Message{
					Body: m.Body, MessageID: &m.MessageID, SessionID: &m.SessionID, Subject: &m.Subject, ContentType: &m.ContentType, ApplicationProperties: m.Properties,
				})
			}
		}
		w.sendMessages(copies)
	}}
}

// junk sends messages that no consumer can take.
func junk(r *rand.Rand) fault {
	bodies := []string{
		"", "{", `{"specversion":"1.0"}`, `[1,2,3]`, strings.Repeat("x", 10_000),
		`{"specversion":"1.0","id":"1","source":"/relaybox/nobody","type":"relaybox.nobody.created","subject":"a","partitionkey":"nobody:a","sequence":"00000000000000000001","incarnation":"i","data":{}}`,
		`{"specversion":"1.0","id":"2","source":"/relaybox/profile","type":"relaybox.profile.created","subject":"k0","partitionkey":"profile:k1","sequence":"00000000000000000001","data":{"id":"k0","state":{}}}`,
	}
	n, first, session := 1+r.IntN(2), r.IntN(len(bodies)), pick(r, "profile:k0", "profile:k1", "junk")
	return fault{name: fmt.Sprintf("%d messages that nobody can read, in session %s", n, session), on: func(w *world) {
		var all []*azservicebus.Message
		for k := range n {
			id := fmt.Sprintf("junk-%d-%d", first, k)
			all = append(all, &azservicebus.Message{
				Body: []byte(bodies[(first+k)%len(bodies)]), MessageID: &id, SessionID: &session, ApplicationProperties: map[string]any{"junk": true},
			})
		}
		w.sendMessages(all)
	}}
}

func other(r *rand.Rand) fault {
	switch r.IntN(4) {
	case 3:
		return fault{name: "the broker loses its power and comes back", on: func(w *world) {
			w.stores.Lock()
			defer w.stores.Unlock()
			w.crashBroker()
			w.reinject()
		}}
	case 0:
		id := r.IntN(2)
		return fault{name: fmt.Sprintf("range %d of the entities is split", id), on: func(w *world) { _ = w.cosmos().Split(database, entities, id) }}
	case 1:
		d := pick(r, 10*time.Second, 31*time.Second, 70*time.Second)
		return fault{name: fmt.Sprintf("the broker's clock steps ahead by %v", d), on: func(w *world) { _ = w.broker().Advance(d) }}
	default:
		d := upTo(r, 700*time.Millisecond)
		return fault{
			lasts: upTo(r, 6*time.Second), name: fmt.Sprintf("everything travels for up to %v", d),
			on: func(w *world) { w.net.slow(d) }, off: func(w *world) { w.net.slow(2 * time.Millisecond) },
		}
	}
}

// storeDies: with its connections and its memory, and comes back on its disk. A second one
// that begins while it is away waits for that.
func storeDies(r *rand.Rand, _ int) fault {
	away := upTo(r, 6*time.Second)
	return fault{name: fmt.Sprintf("the store loses its power and comes back after %v", away), on: func(w *world) {
		w.storeDown.Lock()
		defer w.storeDown.Unlock()
		left := w.crashStore()
		time.Sleep(away)
		w.stores.Lock()
		defer w.stores.Unlock()
		if err := w.startStore(left, nil); err != nil {
			panic(fmt.Sprintf("the store does not start after a crash: %v", err))
		}
		w.reinject()
	}}
}

// slow sets how long a chunk travels at most.
func (n *network) slow(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slowest = d
}

// hide takes a server away, or brings it back.
func (n *network) hide(server string, away bool) {
	if away {
		n.resetAll(server)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.listeners[server]; l != nil {
		l.hidden = away
	}
}

// sendMessages sends from outside of the app, and tries until it has worked.
func (w *world) sendMessages(all []*azservicebus.Message) {
	node := w.net.node("stranger")
	w.rest.Go(func() {
		client, err := azservicebus.NewClientFromConnectionString(w.settings["SERVICEBUS_CONNECTION"], &azservicebus.ClientOptions{
			RetryOptions:     azservicebus.RetryOptions{MaxRetries: 1},
			NewWebSocketConn: dialing(node.dialer(busName)),
		})
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		defer func() { _ = client.Close(ctx) }()
		sender, err := client.NewSender(topicPath, nil)
		if err != nil {
			return
		}
		for _, m := range all {
			w.note("stranger", "sends %s: %v", *m.MessageID, sender.SendMessage(ctx, m, nil))
		}
	})
}

// fireTimers runs every dispatcher now.
func (w *world) fireTimers() {
	for _, i := range w.instances {
		node := w.net.node("operator")
		w.rest.Go(func() {
			c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: ofNetwork(node.dialer(i.name))}}
			res, err := c.Post("http://"+i.name+"/admin/functions/OutboxDispatcher", "application/json", strings.NewReader(`{}`))
			if err == nil {
				_ = res.Body.Close()
			}
		})
	}
}
