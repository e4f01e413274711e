package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/balancer"
)

const (
	// fleetStart is how long an instance may take to answer, of which many start at once; fleetEnd
	// how long it may take to finish what it does.
	fleetStart, fleetEnd = 2 * time.Minute, time.Minute
	// fleetDrain is how long the last event may take to arrive: who took it may have been killed.
	fleetDrain = 2 * time.Minute
	// fleetLock is short, so that another instance gets what a killed one had before the end.
	fleetLock = 5 * time.Second
	// fleetPatience is how long the audit may take to settle what it has: the machine has more to do
	// than it can, if the rate is too high for it.
	fleetPatience = time.Minute
	// away is how long a killed instance stays away.
	away = time.Second
)

// fleet is a number of instances behind a proxy: each a host and a handler, processes of their own,
// with a door of its own to the one store. They share nothing else.
type fleet struct {
	run   *run
	proxy *balancer.Proxy
	url   string
	rng   *rand.Rand // owner: the goroutine of turns

	cache  *miniredis.Miniredis // that they share; its entries outlive the run, their age counts
	ctx    context.Context      // ends every process
	end    context.CancelFunc
	work   sync.WaitGroup
	doors  []*http.Server
	parts  parts.Launcher
	there  []*member // that are behind the proxy
	all    []string  // names of those that there ever were
	joined int       // after the start
	left   int
	killed int
}

// member is an instance.
type member struct {
	name string
	host *parts.Process
}

// startFleet starts the proxy and the instances, and returns when all of these answer.
func (r *run) startFleet(ctx context.Context) (err error) {
	f := &fleet{run: r, proxy: balancer.New(balancer.Options{}), rng: rand.New(rand.NewPCG(r.opts.Seed, 1<<32)), parts: parts.Launcher{Relaybox: r.opts.Relaybox, Dir: r.opts.Dir, Note: r.say}}
	f.ctx, f.end = context.WithCancel(context.WithoutCancel(ctx))
	r.fleet = f
	if f.cache, err = miniredis.Run(); err != nil {
		return err
	}
	f.work.Go(func() { f.proxy.Run(f.ctx) })
	if f.url, err = f.listen(f.proxy); err != nil {
		return err
	}
	r.base = f.url
	for range r.opts.Instances {
		if err := f.launch(); err != nil {
			return err
		}
	}
	for _, m := range f.there {
		if err := f.admit(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// listen serves a handler on a port of its own.
func (f *fleet) listen(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	f.doors = append(f.doors, s)
	f.work.Go(func() { _ = s.Serve(l) }) // until it is closed
	return "http://" + l.Addr().String(), nil
}

// launch starts an instance.
func (f *fleet) launch() error {
	m := &member{name: fmt.Sprint("i", len(f.all))}
	r := f.run
	door, err := f.listen(r.watch.door(m.name, r.stack.Cosmos))
	if err != nil {
		return err
	}
	env := maps.Clone(r.stack.Settings)
	env["COSMOS_CONNECTION"] = r.stack.Cosmos.ConnectionString(door)
	env["REDIS_CONNECTION"] = "redis://" + f.cache.Addr()
	env["RELAYBOX_READ_CACHE_PREFIX"] = cachePrefix
	if m.host, err = f.parts.Launch(f.ctx, m.name, env, parts.HostArgs(r.opts.App)...); err != nil {
		return err
	}
	f.all, f.there = append(f.all, m.name), append(f.there, m)
	return nil
}

// admit puts an instance that has just started behind the proxy, and waits until it gets requests.
func (f *fleet) admit(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fleetStart, fmt.Errorf("instance %s does not answer within %v; its log has the reason", m.name, fleetStart))
	defer cancel()
	url, err := m.host.Await(ctx, "host")
	if err != nil {
		return err
	}
	if err := f.proxy.Add(m.name, url); err != nil {
		return err
	}
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		counts, _ := f.proxy.Counts()
		for _, c := range counts {
			if c.Name == m.name {
				return c.Up, nil
			}
		}
		return false, nil
	})
}

// turns has instances killed, leave and join, one after another, until stop is closed. The first
// round and what has begun then are finished, so that each has happened, and the end finds every
// instance at work.
func (f *fleet) turns(ctx context.Context, stop <-chan struct{}, every time.Duration) error {
	for n := 0; ; n++ {
		select {
		case <-time.After(every):
		case <-stop:
			if n >= 3 {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := []func(context.Context) error{f.kill, f.leave, f.join}[n%3](ctx); err != nil {
			return err
		}
	}
}

// kill ends host and handler of an instance as a power cut would. The proxy is not told. The instance
// comes back, under another address.
func (f *fleet) kill(ctx context.Context) error {
	m := f.there[f.rng.IntN(len(f.there))]
	before, _ := m.host.PIDs()
	if err := m.host.Kill(away); err != nil {
		return fmt.Errorf("kill %s: %w", m.name, err)
	}
	f.killed++
	f.run.say("instance %s (process %d) got SIGKILL", m.name, before)
	waiting, cancel := context.WithTimeoutCause(ctx, fleetStart, fmt.Errorf("instance %s does not come back within %v; its log has the reason", m.name, fleetStart))
	defer cancel()
	if err := poll(waiting, 20*time.Millisecond, func() (bool, error) {
		now, _ := m.host.PIDs()
		return now != 0 && now != before && m.host.Fact("host") != "", nil
	}); err != nil {
		return err
	}
	if err := f.proxy.Remove(ctx, m.name); err != nil {
		return err
	}
	if err := f.admit(ctx, m); err != nil {
		return err
	}
	f.run.say("instance %s is back", m.name)
	return nil
}

// leave takes an instance away as a platform does that scales in: no new requests, then the end.
func (f *fleet) leave(ctx context.Context) error {
	if len(f.there) == 1 {
		return nil // somebody has to be there
	}
	at := f.rng.IntN(len(f.there))
	m := f.there[at]
	ctx, cancel := context.WithTimeoutCause(ctx, fleetEnd, fmt.Errorf("instance %s does not end within %v; its log has the reason", m.name, fleetEnd))
	defer cancel()
	if err := f.proxy.Remove(ctx, m.name); err != nil {
		return err
	}
	if err := m.host.Leave(); err != nil {
		return fmt.Errorf("%s leaves: %w", m.name, err)
	}
	if err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
		pid, _ := m.host.PIDs()
		return pid == 0, nil
	}); err != nil {
		return err
	}
	f.there = append(f.there[:at:at], f.there[at+1:]...)
	f.left++
	f.run.say("instance %s has left", m.name)
	return nil
}

// join brings one more, unless nobody has left.
func (f *fleet) join(ctx context.Context) error {
	if len(f.there) >= f.run.opts.Instances {
		return nil
	}
	if err := f.launch(); err != nil {
		return err
	}
	m := f.there[len(f.there)-1]
	if err := f.admit(ctx, m); err != nil {
		return err
	}
	f.joined++
	f.run.say("instance %s has joined", m.name)
	return nil
}

// close ends everybody.
func (f *fleet) close() error {
	f.end()
	var err error
	for _, d := range f.doors {
		err = errors.Join(err, d.Close())
	}
	f.parts.Wait()
	f.work.Wait()
	if f.cache != nil {
		f.cache.Close()
	}
	return err
}
