package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
)

// Names in the network and at the broker.
const (
	storeName = "store"
	busName   = "bus"
	topicPath = "entity-events"
	viewsPath = topicPath + "/Subscriptions/read-models"
	// watchPath has no sessions and no receiver: it is the topic as the broker saw it.
	watchPath = topicPath + "/Subscriptions/watch"
	database  = "relaybox"
	entities  = "entities"
	views     = "views"
)

// Options are what a run is made of, beside its seed.
type Options struct {
	Seed uint64
	// Calm leaves the faults out.
	Calm bool
	// alone draws all faults instead, if it is there: of one kind.
	alone func(r *rand.Rand, instances int) fault
	// too is a fault that every run has beside the others, if it is there.
	too func(r *rand.Rand, instances int) fault
	// App is the assembled app folder; the executable in it is never run. Sessions is the same
	// with a consumer that takes sessions, which a fifth of the seeds run; "" for none.
	App, Sessions string
}

// world is one run: the stores, the network, the instances and what has been said.
type world struct {
	Options
	app       string
	random    *rand.Rand // of the plan; owner: the run's goroutine
	further   *rand.Rand // of the faults that came later, so that old seeds keep theirs; the same owner
	newest    *rand.Rand // of what came after those
	net       *network
	ranges    int                // of a new container
	store     *minicosmos.Server // guarded by mu, as the next five
	storeDisk *vfs.MemFS
	storeNode *node
	bus       *minibus.Server
	busDisk   *vfs.MemFS
	busNode   *node
	settings  map[string]string
	instances []*instance
	calls     history.Recorder
	mixed     bool // some instances are of a newer version
	sessions  bool // the consumer's subscription requires them

	stores  sync.Mutex // held by what switches their faults; guards inForce
	inForce []fault
	// storeDown is held while the store's process is away; before stores.
	storeDown sync.Mutex

	rest sync.WaitGroup // everything that must have ended when the run ends

	mu       sync.Mutex // guards what follows
	lines    []string
	loose    *rand.Rand // for what does not come from the plan: pauses, deaths of the newly born
	calm     bool       // no more faults
	lastCall time.Time
	births   []birth
	told     int // parked events that the newest sweep has counted
	reborn   *rebirth
	// forgotten are things that a view has lost.
	forgotten []string
	signals   map[string]int // lines of the handlers' logs, by what alerts know them by
}

// birth is a fault that waits for a handler to start.
type birth struct {
	instance string
	write    int
	after    bool
}

// note adds a line to the transcript.
func (w *world) note(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%11.6f %-14s %s", time.Since(began).Seconds(), who, fmt.Sprintf(format, args...)))
}

// began is when every bubble begins.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// stamp is the time of a call, later than every other: within one moment of fake time many
// things happen, one after the other.
func (w *world) stamp() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if !now.After(w.lastCall) {
		now = w.lastCall.Add(1)
	}
	w.lastCall = now
	return now
}

// pause is how long the platform takes to replace an instance.
func (w *world) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.loose.Int64N(int64(2 * time.Second)))
}

// logger writes to the transcript while its process lives.
func (w *world) logger(who string, node *node) *slog.Logger {
	return slog.New(&lines{w: w, who: who, node: node})
}

type lines struct {
	w     *world
	who   string
	node  *node
	attrs string
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if l.node != nil && !l.node.alive() {
		return nil
	}
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%.300v", a.Key, a.Value); return true })
	if signal := value(r, "signal").String(); signal != "" {
		l.w.mu.Lock()
		l.w.signals[signal]++
		if signal == "sweep" {
			l.w.told = int(value(r, "standing").Int64())
		}
		l.w.mu.Unlock()
	}
	l.w.note(l.who, "%s %s%s%s", r.Level, r.Message, l.attrs, b.String())
	return nil
}

func value(r slog.Record, key string) (found slog.Value) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == key {
			found = a.Value
		}
		return a.Key != key
	})
	return found
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *l
	for _, a := range attrs {
		next.attrs += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return &next
}

func (l *lines) WithGroup(string) slog.Handler { return l }

// open starts the stores and prepares the instances.
func open(o Options) (*world, error) {
	w := &world{
		Options: o, app: o.App,
		random: rand.New(rand.NewPCG(o.Seed, 1)), loose: rand.New(rand.NewPCG(o.Seed, 2)), further: rand.New(rand.NewPCG(o.Seed, 3)),
		newest: rand.New(rand.NewPCG(o.Seed, 4)), signals: map[string]int{},
		net: newNetwork(o.Seed),
	}
	if drawn := rand.New(rand.NewPCG(o.Seed, 5)).IntN(5) == 0; drawn && o.Sessions != "" {
		w.sessions, w.app = true, o.Sessions
	}
	w.ranges = 1 + w.random.IntN(3)
	if err := w.startStore(vfs.NewCrashableMem(), nil); err != nil {
		return nil, err
	}
	if err := w.startBroker(vfs.NewCrashableMem()); err != nil {
		return nil, err
	}
	w.settings = stack.Defaults()
	w.settings["AzureWebJobs.MailingList.Disabled"] = "true" // one consumer is checked here
	w.settings["COSMOS_CONNECTION"] = w.cosmos().ConnectionString("http://127.0.0.1:8081")
	w.settings["SERVICEBUS_CONNECTION"] = w.broker().ConnectionString("127.0.0.1:5672")
	w.settings["AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls"] = "8"
	w.settings["RELAYBOX_INBOX_WAITING"] = "4"
	w.settings["RELAYBOX_MAX_EVENT_BYTES"] = strconv.Itoa(2 * brokerTakes)
	w.settings["RELAYBOX_INBOX_HOLD"] = "40s" // shorter than in Azure, so that a run that waits for it is cheap
	return w, nil
}

// startStore opens the store on what is on its disk. Before it serves anybody it is as
// prepare has made it, which may be nil.
func (w *world) startStore(disk *vfs.MemFS, prepare func(*minicosmos.Server) error) error {
	store, err := minicosmos.Open(minicosmos.Options{Dir: "store", FS: disk, Ranges: w.ranges})
	if err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(store); err != nil {
			return err
		}
	}
	node := w.net.node(storeName)
	w.mu.Lock()
	w.store, w.storeDisk, w.storeNode = store, disk, node
	w.mu.Unlock()
	door := node.listen(storeName)
	w.rest.Go(func() { _ = store.Serve(door) })
	return nil
}

// crashStore ends the store as a loss of power does, and returns the disk as that leaves it:
// with what was synced, which must be all that anybody was told. Nothing gets out any more
// when the disk is taken, so nobody can be told more.
func (w *world) crashStore() *vfs.MemFS {
	w.mu.Lock()
	store, disk, node := w.store, w.storeDisk, w.storeNode
	w.mu.Unlock()
	node.kill()
	left := disk.CrashClone(vfs.CrashCloneCfg{})
	w.rest.Go(func() { _ = store.Close() }) // on a disk that nobody looks at any more
	return left
}

func (w *world) cosmos() *minicosmos.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.store
}

// startBroker opens the broker on what is on its disk.
func (w *world) startBroker(disk *vfs.MemFS) error {
	bus, err := minibus.Open(minibus.Options{Dir: "bus", FS: disk, Config: w.topology()})
	if err != nil {
		return err
	}
	node := w.net.node(busName)
	w.mu.Lock()
	w.bus, w.busDisk, w.busNode = bus, disk, node
	w.mu.Unlock()
	door := node.listen(busName)
	w.rest.Go(func() { _ = bus.Serve(door) })
	return nil
}

// crashBroker ends the broker as a loss of power does: its memory is gone, locks and sessions
// with it, and what it had not synced.
func (w *world) crashBroker() {
	w.mu.Lock()
	bus, disk, node := w.bus, w.busDisk, w.busNode
	w.mu.Unlock()
	left := disk.CrashClone(vfs.CrashCloneCfg{})
	node.kill()
	w.rest.Go(func() { _ = bus.Close() }) // on a disk that nobody looks at any more
	if err := w.startBroker(left); err != nil {
		panic(fmt.Sprintf("the broker does not start after a crash: %v", err))
	}
}

func (w *world) broker() *minibus.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bus
}

// topology is the stack's, with the shortest window for duplicates and a subscription that
// nobody receives from.
func (w *world) topology() *minibus.Config {
	c := stack.Topology(topicPath, "read-models")
	t := &c.Topics[0]
	t.DuplicateDetectionHistoryTimeWindow = 20 * time.Second
	t.Subscriptions[0].LockDuration = 30 * time.Second
	t.Subscriptions[0].RequiresSession = w.sessions
	t.Subscriptions = append(t.Subscriptions, minibus.Subscription{
		Name: "watch", DefaultMessageTimeToLive: t.DefaultMessageTimeToLive, MaxDeliveryCount: 10,
	})
	return c
}

// close ends everything; nothing of the run is left when it returns.
func (w *world) close() error {
	w.net.resetAll(storeName)
	w.net.resetAll(busName)
	err := w.cosmos().Close()
	if e := w.broker().Close(); err == nil {
		err = e
	}
	w.rest.Wait()
	// A request whose body nobody reads does not hear that its connection is gone, and ends
	// when its own patience does.
	time.Sleep(5 * time.Minute)
	return err
}

// born is told of each handler that starts.
func (w *world) born(i *instance, node *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return
	}
	for n, b := range w.births {
		if b.instance == i.name {
			w.births = append(w.births[:n:n], w.births[n+1:]...)
			node.dieAt(b.write, b.after)
			return
		}
	}
}

// documents are those of a container, by partition key and id.
func (w *world) documents(container string) map[string]map[string]json.RawMessage {
	return byPlace(w.cosmos().Documents(database, container))
}

func byPlace(list []json.RawMessage) map[string]map[string]json.RawMessage {
	all := map[string]map[string]json.RawMessage{}
	for _, raw := range list {
		id, key := placeOf(raw)
		if all[key] == nil {
			all[key] = map[string]json.RawMessage{}
		}
		all[key][id] = raw
	}
	return all
}

// placeOf is the id and the partition key of a document. They stand first in it, and the
// rest may be large.
func placeOf(doc json.RawMessage) (id, key string) {
	d := json.NewDecoder(bytes.NewReader(doc))
	_, _ = d.Token()
	for d.More() && (id == "" || key == "") {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		switch name {
		case "id":
			_ = json.Unmarshal(value, &id)
		case "pk":
			_ = json.Unmarshal(value, &key)
		}
	}
	return id, key
}

// Assemble writes the app folder of the source tree without building its handler, which
// runs in the simulation's own process. With sessions ConsumeEvent takes them.
func Assemble(source, to string, sessions bool) error {
	files, err := filepath.Glob(filepath.Join(source, "functions", "*", "function.json"))
	if err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(source, "host.json")) {
		name := filepath.Base(file)
		if name == "function.json" {
			name = filepath.Join(filepath.Base(filepath.Dir(file)), name)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if sessions {
			text = bytes.Replace(text, []byte(`"isSessionsEnabled": false`), []byte(`"isSessionsEnabled": true`), 1)
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "handler"), nil, 0o755)
}
