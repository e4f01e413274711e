package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/stack"
)

// startTime bounds the start of all processes together.
const startTime = 2 * time.Minute

// watchName is the subscription that nobody receives from: it keeps every message of the
// topic in the broker's order until the end.
const watchName = "chaos-watch"

// Values of the bus. The lock is short, so that a freeze outlives it; the window is as short
// as the broker allows, so that old events come as new ones.
const (
	lockTime        = 5 * time.Second
	duplicateWindow = 20 * time.Second
)

// cluster is every process of a run, and the links between them.
type cluster struct {
	store, bus *parts.Process
	instances  []*instance
	settings   map[string]string
	// toStore and toBus are the witnesses' own links, which nothing goes wrong with.
	toStore, toBus *link
	// cosmos and amqp are the connection strings by way of these.
	cosmos, amqp string

	work  sync.WaitGroup
	parts parts.Launcher
	disks []string // of their own, to be unmounted
}

// instance is a host with its handler, and its own links to store and bus.
type instance struct {
	name       string
	host       *parts.Process
	store, bus *link
}

// url is where the host listens, "" while it does not.
func (i *instance) url() string { return i.host.Fact("host") }

// start brings everything up.
func start(ctx context.Context, o Options, note func(string, ...any)) (*cluster, error) {
	c := &cluster{settings: stack.Defaults(), parts: parts.Launcher{Relaybox: o.Relaybox, Dir: o.Dir, Note: note}}
	parts.OneConsumer(c.settings)
	c.settings["DISPATCH_SCHEDULE"] = "*/5 * * * * *"
	maps.Copy(c.settings, o.settings)
	starting, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was not up within %v", startTime))
	defer cancel()
	if err := c.startServers(ctx, starting, o); err != nil {
		return c, err
	}
	for n := range o.Instances {
		i, err := c.startInstance(ctx, o, fmt.Sprint("i", n))
		if err != nil {
			return c, err
		}
		c.instances = append(c.instances, i)
	}
	for _, i := range c.instances {
		if _, err := i.host.Await(starting, "host"); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *cluster) startServers(ctx, starting context.Context, o Options) error {
	if o.Disks {
		for _, server := range []string{"store", "bus"} {
			disk := filepath.Join(o.Dir, server, "data")
			if err := mount(disk); err != nil {
				return err
			}
			c.disks = append(c.disks, disk)
		}
	}
	config := filepath.Join(o.Dir, "bus.json")
	sessions, err := parts.AsksForSessions(o.App)
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, topology(c.settings, sessions), 0o600); err != nil {
		return err
	}
	if c.store, err = c.parts.Launch(ctx, "store", nil, parts.StoreArgs()...); err != nil {
		return err
	}
	if c.bus, err = c.parts.Launch(ctx, "bus", nil, parts.BusArgs(config)...); err != nil {
		return err
	}
	if c.toStore, err = c.connect(ctx, c.store, "cosmos"); err != nil {
		return err
	}
	if c.toBus, err = c.connect(ctx, c.bus, "bus"); err != nil {
		return err
	}
	if c.cosmos, err = c.store.Await(starting, "cosmos"); err != nil {
		return err
	}
	if c.amqp, err = c.bus.Await(starting, "bus"); err != nil {
		return err
	}
	c.cosmos, c.amqp = by(c.cosmos, c.toStore), by(c.amqp, c.toBus)
	return nil
}

func (c *cluster) startInstance(ctx context.Context, o Options, name string) (*instance, error) {
	i := &instance{name: name}
	var err error
	if i.store, err = c.connect(ctx, c.store, "cosmos"); err != nil {
		return nil, err
	}
	if i.bus, err = c.connect(ctx, c.bus, "bus"); err != nil {
		return nil, err
	}
	env := maps.Clone(c.settings)
	env["COSMOS_CONNECTION"], env["SERVICEBUS_CONNECTION"] = by(c.cosmos, i.store), by(c.amqp, i.bus)
	i.host, err = c.parts.Launch(ctx, name, env, parts.HostArgs(o.App)...)
	return i, err
}

func (c *cluster) connect(ctx context.Context, to *parts.Process, fact string) (*link, error) {
	l, err := newLink(func() string { return parts.Address(to.Fact(fact)) })
	if err == nil {
		c.work.Go(func() { l.run(ctx) })
	}
	return l, err
}

// by is a connection string by way of a link.
func by(connection string, l *link) string {
	return strings.ReplaceAll(connection, parts.Address(connection), l.addr())
}

// close waits for the processes, which the end of the run's context has killed.
func (c *cluster) close(keep bool) error {
	c.work.Wait()
	c.parts.Wait()
	var err error
	for _, disk := range c.disks {
		err = errors.Join(err, unmount(disk, keep))
	}
	return err
}

// topology is the bus's Config.json.
func topology(settings map[string]string, sessions bool) []byte {
	return parts.Topology(parts.Topic{Name: settings["EVENTS_TOPIC"], DuplicateWindow: duplicateWindow, Subscriptions: []parts.Subscription{
		{Name: settings["EVENTS_SUBSCRIPTION"], Sessions: sessions, LockTime: lockTime},
		{Name: watchName, LockTime: lockTime},
	}})
}
