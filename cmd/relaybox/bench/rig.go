package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/stack"
)

// startTime bounds the start of a part.
const startTime = time.Minute

// Topics and subscriptions. Nobody receives from watchName: it keeps every message of the
// topic in the broker's order until the end. The bare topic is the ceiling's.
const (
	watchName   = "bench-watch"
	bareTopic   = "bare-events"
	bareReaders = "bare-views"
)

// rig is a store, a bus and hosts with their handlers, each a process of its own, with
// nothing in them yet.
type rig struct {
	of         Checkout
	dir        string
	launcher   parts.Launcher
	settings   map[string]string
	admin      string         // where the bus is administered
	store, bus *parts.Process // nil where a test has them in its own process
	hosts      []*parts.Process
	gone       []*parts.Process // hosts that were dismissed
	// endHosts ends the hosts, end the others.
	end, endHosts context.CancelFunc
}

// assemble starts store and bus, this one with further flags; hosts come later.
func assemble(ctx context.Context, dir string, of Checkout, busArgs ...string) (_ *rig, err error) {
	r := &rig{of: of, dir: dir, launcher: parts.Launcher{Relaybox: of.Relaybox, Dir: dir}, settings: stack.Defaults()}
	parts.OneConsumer(r.settings)
	ctx, r.end = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	sessions, err := parts.AsksForSessions(of.App)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "bus.json")
	if err := os.WriteFile(config, topology(r.settings, sessions), 0o600); err != nil {
		return nil, err
	}
	if r.store, err = r.launcher.Launch(ctx, "store", nil, parts.StoreArgs()...); err != nil {
		return nil, err
	}
	if r.bus, err = r.launcher.Launch(ctx, "bus", nil, append(parts.BusArgs(config), busArgs...)...); err != nil {
		return nil, err
	}
	if r.settings["COSMOS_CONNECTION"], err = await(ctx, r.store, "cosmos"); err != nil {
		return nil, err
	}
	if r.settings["SERVICEBUS_CONNECTION"], err = await(ctx, r.bus, "bus"); err != nil {
		return nil, err
	}
	r.admin, err = await(ctx, r.bus, "admin")
	return r, err
}

// topology is the bus's Config.json.
func topology(settings map[string]string, sessions bool) []byte {
	subscription := func(name string, sessions bool) parts.Subscription {
		return parts.Subscription{Name: name, Sessions: sessions, LockTime: time.Minute}
	}
	topic := func(name string, all ...parts.Subscription) parts.Topic {
		return parts.Topic{Name: name, DuplicateWindow: 5 * time.Minute, Subscriptions: all}
	}
	return parts.Topology(
		topic(settings["EVENTS_TOPIC"], subscription(settings["EVENTS_SUBSCRIPTION"], sessions), subscription(watchName, false)),
		topic(bareTopic, subscription(bareReaders, false), subscription(watchName, false)), // as many copies
	)
}

// await waits for what a part says when it has started.
func await(ctx context.Context, p *parts.Process, fact string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was not up within %v; its log says why", startTime))
	defer cancel()
	return p.Await(ctx, fact)
}

// serve starts n hosts with settings over the usual ones, and returns where they listen.
func (r *rig) serve(ctx context.Context, n int, settings map[string]string) (urls []string, err error) {
	ctx, r.endHosts = context.WithCancel(ctx)
	env := maps.Clone(r.settings)
	maps.Copy(env, settings)
	for i := range n {
		host, err := r.launcher.Launch(ctx, fmt.Sprint("host", len(r.gone)+i), env, parts.HostArgs(r.of.App)...)
		if err != nil {
			return nil, err
		}
		r.hosts = append(r.hosts, host)
	}
	for _, host := range r.hosts[len(r.hosts)-n:] {
		url, err := await(ctx, host, "host")
		if err != nil {
			return nil, err
		}
		if _, err := await(ctx, host, "handler"); err != nil {
			return nil, err
		}
		urls = append(urls, url)
	}
	return urls, nil
}

// dismiss ends the hosts.
func (r *rig) dismiss() {
	r.endHosts()
	r.gone, r.hosts = append(r.gone, r.hosts...), nil
}

func (r *rig) close() {
	if r.endHosts != nil {
		r.endHosts()
	}
	r.end()
	r.launcher.Wait()
}

// Parts that are switched off: a drain of the fast path has no time, the look for orphans
// and the sweep do not come. The settings of a part that does not know them do nothing.
var (
	noDispatch = map[string]string{"AzureWebJobs.OutboxDispatcher.Disabled": "true", "RELAYBOX_FASTPATH_BUDGET": "1ns", "RELAYBOX_ORPHAN_LOOK": "1m"}
	noConsumer = map[string]string{"AzureWebJobs.ConsumeEvent.Disabled": "true"}
)

func off(all ...map[string]string) map[string]string {
	settings := map[string]string{}
	for _, some := range all {
		maps.Copy(settings, some)
	}
	return settings
}

// use is what the processes have used so far; nil where that is not known.
func (r *rig) use() (map[string]parts.Use, error) {
	if !parts.Measured {
		return nil, nil
	}
	all := map[string]parts.Use{}
	add := func(name string, pid int) error {
		if pid == 0 {
			return fmt.Errorf("%s: %w", name, parts.ErrAbsent)
		}
		u, err := parts.UseOf(pid)
		sum := all[name]
		all[name] = parts.Use{Processor: sum.Processor + u.Processor, Peak: max(sum.Peak, u.Peak)}
		return err
	}
	var err error
	for name, p := range map[string]*parts.Process{"store": r.store, "bus": r.bus} {
		if p != nil {
			pid, _ := p.PIDs()
			err = errors.Join(err, add(name, pid))
		}
	}
	for _, h := range r.hosts {
		host, handler := h.PIDs()
		err = errors.Join(err, add("host", host), add("handler", handler))
	}
	if len(r.hosts) == 0 { // the ceiling runs in this process
		err = errors.Join(err, add("bare", os.Getpid()))
	}
	return all, err
}

// crashes are the ends of processes that nobody had asked for.
func (r *rig) crashes() (n int) {
	for _, p := range append([]*parts.Process{r.store, r.bus}, r.hosts...) {
		if p != nil {
			n += p.Crashes()
		}
	}
	return n
}
