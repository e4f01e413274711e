package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

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
	store, bus *process
	instances  []*instance
	settings   map[string]string
	// toStore and toBus are the witnesses' own links, which nothing goes wrong with.
	toStore, toBus *link
	// cosmos and amqp are the connection strings by way of these.
	cosmos, amqp string

	work  sync.WaitGroup
	files []*os.File
	disks []string // of their own, to be unmounted
}

// instance is a host with its handler, and its own links to store and bus.
type instance struct {
	name       string
	host       *process
	store, bus *link
}

// url is where the host listens, "" while it does not.
func (i *instance) url() string { return i.host.fact("host") }

// start brings everything up.
func start(ctx context.Context, o Options, note func(string, ...any)) (*cluster, error) {
	c := &cluster{settings: stack.Defaults()}
	c.settings["DISPATCH_SCHEDULE"] = "*/5 * * * * *"
	maps.Copy(c.settings, o.settings)
	starting, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was not up within %v", startTime))
	defer cancel()
	if err := c.startServers(ctx, starting, o, note); err != nil {
		return c, err
	}
	for n := range o.Instances {
		i, err := c.startInstance(ctx, o, note, fmt.Sprint("i", n))
		if err != nil {
			return c, err
		}
		c.instances = append(c.instances, i)
	}
	for _, i := range c.instances {
		if _, err := i.host.await(starting, "host"); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *cluster) startServers(ctx, starting context.Context, o Options, note func(string, ...any)) error {
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
	sessions, err := asksForSessions(o.App)
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, topology(c.settings, sessions), 0o600); err != nil {
		return err
	}
	if c.store, err = c.launch(ctx, o, note, "store", nil, "--only", "cosmos", "--cosmos-addr", "127.0.0.1:0"); err != nil {
		return err
	}
	if c.bus, err = c.launch(ctx, o, note, "bus", nil, "--only", "bus", "--bus-addr", "127.0.0.1:0", "--bus-admin-addr", "127.0.0.1:0", "--bus-config", config); err != nil {
		return err
	}
	if c.toStore, err = c.connect(ctx, c.store, "cosmos"); err != nil {
		return err
	}
	if c.toBus, err = c.connect(ctx, c.bus, "bus"); err != nil {
		return err
	}
	if c.cosmos, err = c.store.await(starting, "cosmos"); err != nil {
		return err
	}
	if c.amqp, err = c.bus.await(starting, "bus"); err != nil {
		return err
	}
	c.cosmos, c.amqp = by(c.cosmos, c.toStore), by(c.amqp, c.toBus)
	return nil
}

func (c *cluster) startInstance(ctx context.Context, o Options, note func(string, ...any), name string) (*instance, error) {
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
	i.host, err = c.launch(ctx, o, note, name, env, "--only", "host", "--app", o.App, "--host-addr", "127.0.0.1:0")
	return i, err
}

// launch starts a relaybox up with a data folder and a log of its own.
func (c *cluster) launch(ctx context.Context, o Options, note func(string, ...any), name string, env map[string]string, args ...string) (*process, error) {
	dir := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	c.files = append(c.files, log)
	data := filepath.Join(dir, "data")
	args = append([]string{"up", "--data", data}, args...)
	environ := os.Environ()
	for _, setting := range slices.Sorted(maps.Keys(env)) {
		environ = append(environ, setting+"="+env[setting])
	}
	p := newProcess(name, log, note, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, o.Relaybox, args...)
		cmd.Dir, cmd.Env = dir, environ // no local.settings.json of anybody's
		return cmd
	})
	p.data = data
	c.work.Go(func() { p.run(ctx) })
	return p, nil
}

func (c *cluster) connect(ctx context.Context, to *process, fact string) (*link, error) {
	l, err := newLink(func() string { return address.FindString(to.fact(fact)) })
	if err == nil {
		c.work.Go(func() { l.run(ctx) })
	}
	return l, err
}

var address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// by is a connection string by way of a link.
func by(connection string, l *link) string {
	return strings.ReplaceAll(connection, address.FindString(connection), l.addr())
}

// close waits for the processes, which the end of the run's context has killed.
func (c *cluster) close(keep bool) error {
	c.work.Wait()
	for _, f := range c.files {
		_ = f.Close() // logs are for people
	}
	var err error
	for _, disk := range c.disks {
		err = errors.Join(err, unmount(disk, keep))
	}
	return err
}

// asksForSessions says whether the app's consumer wants its subscription to have sessions.
func asksForSessions(app string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(app, "ConsumeEvent", "function.json"))
	if err != nil {
		return false, fmt.Errorf("%s is no app with the consumer whose effects are checked: %w", app, err)
	}
	var function struct {
		Bindings []struct {
			IsSessionsEnabled bool `json:"isSessionsEnabled"`
		} `json:"bindings"`
	}
	if err := json.Unmarshal(text, &function); err != nil {
		return false, fmt.Errorf("ConsumeEvent/function.json: %w", err)
	}
	return len(function.Bindings) > 0 && function.Bindings[0].IsSessionsEnabled, nil
}

// topology is the bus's Config.json.
func topology(settings map[string]string, sessions bool) []byte {
	type object = map[string]any
	iso := func(d time.Duration) string { return fmt.Sprintf("PT%dS", int(d.Seconds())) }
	subscription := func(name string, sessions bool) object {
		return object{"Name": name, "Properties": object{"RequiresSession": sessions, "MaxDeliveryCount": 10, "LockDuration": iso(lockTime), "DefaultMessageTimeToLive": "PT1H", "DeadLetteringOnMessageExpiration": true}}
	}
	text, err := json.MarshalIndent(object{"UserConfig": object{
		"Logging": object{"Type": "File"},
		"Namespaces": []object{{"Name": "sbemulatorns", "Queues": []object{}, "Topics": []object{{
			"Name":       settings["EVENTS_TOPIC"],
			"Properties": object{"RequiresDuplicateDetection": true, "DuplicateDetectionHistoryTimeWindow": iso(duplicateWindow), "DefaultMessageTimeToLive": "PT1H"},
			"Subscriptions": []object{
				subscription(settings["EVENTS_SUBSCRIPTION"], sessions),
				subscription(watchName, false),
			},
		}}}},
	}}, "", "  ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}
