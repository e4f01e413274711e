package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/app"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minihost"
)

// instance is one instance of the app: a host and its handler, two processes that each have
// a network interface of their own. Whichever dies is started again, by the host or, as the
// platform does it, with a new host.
type instance struct {
	w        *world
	name     string
	settings map[string]string
	skew     time.Duration // of its clock
	newer    bool          // it is of the newer version

	mu      sync.Mutex
	host    *node // guarded by mu, as the next
	handler *node
	starts  int
}

// run keeps the instance up until ctx ends.
func (i *instance) run(ctx context.Context) {
	for ctx.Err() == nil {
		i.once(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(i.w.pause()):
		}
	}
}

// once is the life of one host.
func (i *instance) once(ctx context.Context) {
	node := i.w.net.node(i.name + "/host")
	log := i.w.logger(i.name+"/host", node)
	life, end := context.WithCancel(ctx)
	// A host that has died goes on for a moment, and may start a handler: it must not be found
	// in the place of the next host's.
	i.mu.Lock()
	i.starts++
	address := fmt.Sprintf("%s/handler/%d", i.name, i.starts)
	i.mu.Unlock()
	host, err := minihost.Load(minihost.Options{
		App: i.w.app, Settings: i.settings, Logger: log,
		Inner: &minihost.Inner{
			Run:  func(ctx context.Context, env []string) error { return i.serve(ctx, node, address, env) },
			Dial: node.dialer(address),
		},
		DialBus: node.dialer(busName),
	})
	if err != nil {
		panic(fmt.Sprintf("the app does not load: %v", err)) // no fault of a run can cause it
	}
	i.mu.Lock()
	i.host = node
	i.mu.Unlock()
	ended := make(chan error, 1)
	i.w.rest.Go(func() {
		defer end()
		ended <- host.Run(life, node.listen(i.name))
	})
	select {
	case err = <-ended:
		i.w.note(i.name+"/host", "ended: %v", err)
	case <-node.died:
		i.w.note(i.name+"/host", "died")
	case <-ctx.Done():
	}
	node.kill()
	i.killHandler()
	end() // what is left of it ends in its own time, and nobody hears of it
}

func (i *instance) killHandler() {
	i.mu.Lock()
	handler := i.handler
	i.mu.Unlock()
	if handler != nil {
		handler.kill()
	}
}

func (i *instance) nodes() (host, handler *node) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.host, i.handler
}

// endpoints counts those that were given out.
var endpoints atomic.Uint32

// endpoint is a URL of the store that no process has used before: clients of one endpoint
// share caches, and a process that dies loses its memory.
func endpoint() string {
	n := endpoints.Add(1)
	return fmt.Sprintf("http://127.%d.%d.%d:8081", 1+n>>16, n>>8&0xff, n&0xff)
}

var errKilled = errors.New("signal: killed")

// serve is the life of one handler of host: what package main does, on the run's network.
func (i *instance) serve(ctx context.Context, host *node, address string, env []string) error {
	environment := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		environment[name] = value
	}
	environment["COSMOS_CONNECTION"] = i.w.cosmos().ConnectionString(endpoint())
	cfg, err := config.Load(environment)
	if err != nil {
		return err
	}
	node := i.w.net.node(i.name + "/handler")
	log := i.w.logger(node.name, node)
	transport := &http.Transport{DialContext: ofNetwork(node.dialer(storeName))}
	var edition functions.Edition
	if i.newer {
		edition = newer
	}
	made, err := app.New(cfg, log, app.Options{
		Edition: edition,
		Store:   cosmos.Options{Transport: &skewed{transport, i.skew}}, Bus: servicebus.Options{Dial: node.dialer(busName)},
	})
	if err != nil {
		return err
	}
	i.mu.Lock()
	current := i.host == host
	if current {
		i.handler = node
	}
	i.mu.Unlock()
	if !current {
		return errKilled // with its host
	}
	i.w.born(i, node)
	server := &http.Server{Handler: made, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	listener := node.listen(address)
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i.w.rest.Go(func() { _ = server.Serve(listener) })
	i.w.rest.Go(func() {
		made.Run(background)
		transport.CloseIdleConnections()
	})
	select {
	case <-ctx.Done():
	case <-node.died:
		i.w.note(node.name, "died")
	}
	node.kill()
	cancel()
	_ = server.Close()
	return errKilled
}

// settingsOf are the settings of an instance, over the run's.
func (w *world) settingsOf(own map[string]string) map[string]string {
	all := maps.Clone(w.settings)
	maps.Copy(all, own)
	return all
}
