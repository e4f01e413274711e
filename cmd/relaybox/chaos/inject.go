package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
)

// slowness is the latency of a link that is slowed down, each way.
const slowness = 120 * time.Millisecond

// injector carries a plan out and keeps the transcript.
type injector struct {
	cluster *cluster
	resend  func(ctx context.Context) error
	note    func(format string, args ...any)

	mu    sync.Mutex // guards what follows
	count map[sort]int
	// idle counts the faults that met nobody: what they were for was away already.
	idle int
	ends []ending
}

// ending is when a fault ended.
type ending struct {
	fault fault
	at    time.Time
}

// run carries the plan out and returns when the last fault has ended.
func (i *injector) run(ctx context.Context, plan []fault) {
	began := time.Now()
	var running sync.WaitGroup
	defer running.Wait()
	for _, f := range plan {
		sleep(ctx, time.Until(began.Add(f.At)))
		if ctx.Err() != nil {
			return
		}
		running.Go(func() { i.one(ctx, f) })
	}
}

func (i *injector) one(ctx context.Context, f fault) {
	begin, end := i.apply(f)
	if err := begin(ctx); err != nil {
		i.note("%v: nothing happened: %v", f, err)
		i.mu.Lock()
		i.idle++
		i.mu.Unlock()
		return
	}
	i.note("%v", f)
	sleep(ctx, f.Hold)
	if err := end(context.WithoutCancel(ctx)); err != nil {
		i.note("end of %v: %v", f, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[f.Sort]++
	i.ends = append(i.ends, ending{f, time.Now()})
}

// apply says how a fault begins and ends.
func (i *injector) apply(f fault) (begin, end func(context.Context) error) {
	nothing := func(context.Context) error { return nil }
	plain := func(do func() error) func(context.Context) error { return func(context.Context) error { return do() } }
	switch f.Sort {
	case resends:
		return i.resend, nothing
	case outages, refusals:
		return func(ctx context.Context) error { return i.cluster.inject(ctx, f.Target, f.Switch) },
			func(ctx context.Context) error { return i.cluster.clear(ctx, f.Target) }
	case cuts:
		link := i.cluster.link(f)
		return plain(func() error { return broken(link, f.Do) }), plain(func() error { link.heal(); return nil })
	}
	target := i.cluster.process(f.Target)
	switch {
	case f.Sort == disks:
		return plain(func() error { target.Excuse(true); return fill(target.Data) }),
			plain(func() error { defer target.Excuse(false); return empty(target.Data) })
	case f.Sort == kills && f.Do == "handler":
		return plain(func() error { return target.SignalHandler(parts.Kill) }), nothing
	case f.Sort == kills:
		return plain(func() error { return target.Kill(f.Hold) }), nothing
	case f.Do == "handler":
		return plain(func() error { return target.SignalHandler(parts.Stop) }), plain(func() error { return gone(target.SignalHandler(parts.Resume)) })
	}
	return plain(target.Freeze), plain(func() error { return gone(target.Thaw()) })
}

// gone: what was killed meanwhile need not be thawed.
func gone(err error) error {
	if errors.Is(err, parts.ErrAbsent) {
		return nil
	}
	return err
}

// broken does to a link what the fault's words say.
func broken(l *link, do string) error {
	switch how, _, _ := strings.Cut(do, " "); how {
	case "cut":
		l.cut()
	case "stall":
		l.stall()
	default:
		l.slow(slowness)
	}
	return nil
}

func (c *cluster) process(name string) *parts.Process {
	switch name {
	case "store":
		return c.store
	case "bus":
		return c.bus
	}
	return c.instance(name).host
}

func (c *cluster) instance(name string) *instance {
	for _, i := range c.instances {
		if i.name == name {
			return i
		}
	}
	panic("no instance is called " + name) // the plan is drawn for these instances
}

func (c *cluster) link(f fault) *link {
	i := c.instance(f.Target)
	if strings.HasSuffix(f.Do, " bus") {
		return i.bus
	}
	return i.store
}

// faultsURL is where a stand-in's own faults are switched, "" while it is away.
func (c *cluster) faultsURL(target string) string {
	addr := c.bus.Fact("admin")
	if target == "store" {
		addr = parts.Address(c.store.Fact("cosmos"))
	}
	if addr == "" {
		return ""
	}
	return "http://" + addr + "/relaybox/faults"
}

func (c *cluster) inject(ctx context.Context, target, fault string) error {
	return c.switching(ctx, http.MethodPost, target, fault)
}

func (c *cluster) clear(ctx context.Context, target string) error {
	return gone(c.switching(ctx, http.MethodDelete, target, ""))
}

// switchTime bounds one request to a server that may be frozen.
const switchTime = 5 * time.Second

func (c *cluster) switching(ctx context.Context, method, target, body string) error {
	url := c.faultsURL(target)
	if url == "" {
		return parts.ErrAbsent
	}
	ctx, cancel := context.WithTimeout(ctx, switchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, url, resp.StatusCode, text)
	}
	return nil
}

// heal ends everything that may still be wrong, until each server has agreed.
func (c *cluster) heal(ctx context.Context) error {
	for _, i := range c.instances {
		i.store.heal()
		i.bus.heal()
		_ = i.host.Thaw() // one that is away starts anew
	}
	for _, server := range []string{"store", "bus"} {
		_ = c.process(server).Thaw()
		for {
			err := c.switching(ctx, http.MethodDelete, server, "")
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("the faults of the %s cannot be switched off: %w", server, err)
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
	for _, i := range c.instances {
		if _, err := i.host.Await(ctx, "host"); err != nil {
			return err
		}
	}
	return nil
}
