package minihost

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/admin"
	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/timer"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// Options configures a Host. App is required; the zero value of the rest works.
type Options struct {
	// App is the assembled app folder: host.json, the handler and one folder
	// with function.json per function.
	App string
	// Settings are the application settings. They override the environment of
	// this process; both become the environment of the handler.
	Settings map[string]string
	Logger   *slog.Logger // nil: slog.Default
	// HandlerOutput takes the handler's output line by line instead of Logger.
	HandlerOutput io.Writer
	// DataDir keeps the status of monitored timers; "" keeps it in memory.
	DataDir string
	// EnableAuth asks admin calls, and functions that are not anonymous, for
	// MasterKey in x-functions-key or ?code=.
	EnableAuth bool
	MasterKey  string
	// Hosts are names, besides localhost, that clients call the host by; under others it is
	// called by web pages that pretend to be it. Addresses need not be listed.
	Hosts []string
	// TextOnce sends text payloads encoded once, as documentation shows them,
	// instead of twice, as the real host does.
	TextOnce bool
	// HangOnEmptyAnswer lets an answer without a body wait for functionTimeout,
	// as the real host does, instead of failing it at once.
	HangOnEmptyAnswer bool
	// StopTimeout bounds the time that running calls get when Run's context
	// ends; 0 means 10 seconds, the real host's patience.
	StopTimeout time.Duration
	// Inner, for tests that own time and network, runs in place of the handler's executable.
	Inner *Inner
	// DialBus makes the connections to the broker in place of TCP, for the same tests.
	DialBus func(context.Context) (net.Conn, error)
}

// Inner is a handler in this process.
//
//	Run  func(ctx context.Context, env []string) error  // its life: ends with ctx, which is its SIGKILL; nil is exit status 0
//	Dial func(ctx context.Context) (net.Conn, error)    // connects to it; an error means that nobody listens yet
type Inner = worker.Inner

// A Host is a loaded app. It can be run any number of times, one at a time.
type Host struct {
	opts      Options
	log       *slog.Logger
	config    app.Config
	env       app.Settings
	functions []*app.Definition
	table     *table
	status    *timer.Store
	current   atomic.Pointer[run]
}

// Load reads an assembled app: host.json, its functions and the settings they
// name. Faults of host.json or the executable, or of all functions, are
// returned together (ErrHostConfig); a fault of one function is in its Errors,
// and the others load. A source tree or a folder without a function is
// ErrNotAssembled.
func Load(o Options) (*Host, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 10 * time.Second
	}
	a, err := app.Load(o.App, o.Settings)
	if err != nil {
		return nil, err
	}
	a.Config.Handler.Inner = o.Inner
	return &Host{
		opts: o, log: o.Logger, config: a.Config, env: a.Settings, functions: a.Functions,
		table: newTable(a.Functions), status: timer.NewStore(o.DataDir),
	}, nil
}

// Functions lists the app's functions by name, faulty and disabled ones too.
func (h *Host) Functions() []Function {
	list := make([]Function, len(h.functions))
	for i, f := range h.functions {
		list[i] = f.Function
	}
	return list
}

// HandlerPID is the process id of the running handler, 0 while none runs.
func (h *Host) HandlerPID() int {
	if r := h.current.Load(); r != nil {
		return r.worker.PID()
	}
	return 0
}

// run is one run of a Host, from its listener to its end.
type run struct {
	*Host
	worker  *worker.Worker
	admin   *admin.API
	started time.Time
	giveUp  context.CancelCauseFunc // ends the run with an error
	manual  sync.WaitGroup          // admin runs in flight
}

// Run serves until ctx ends (nil) or the handler cannot be kept alive
// (ErrHandlerCrashed, ErrHandlerStart, ErrHandlerNotReady). It closes the
// listener. When ctx ends, no new work is taken, running calls may finish for
// Options.StopTimeout, then the handler gets SIGKILL.
func (h *Host) Run(ctx context.Context, ln net.Listener) error {
	w, err := worker.New(h.config.Handler, h.handlerSettings(ln), h.log, h.opts.HandlerOutput)
	if err != nil {
		_ = ln.Close()
		return err
	}
	// calls outlives accept by the patience that running calls are given.
	calls, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	accept, stopAccepting := context.WithCancel(calls)
	defer stopAccepting()
	r := &run{Host: h, worker: w, started: time.Now(), giveUp: giveUp}
	r.admin = &admin.API{
		Root: h.config.Root, Functions: h.functions, Started: r.started,
		Allowed: func(req *front.Request) bool { return r.allowed(req, true) },
		Run:     func(f *app.Definition, input *string) { r.manual.Go(func() { r.runManually(calls, f, input) }) },
	}
	h.current.Store(r)
	defer h.current.CompareAndSwap(r, nil)
	h.announce()

	handler := make(chan error, 1)
	go func() { handler <- w.Run(calls) }()
	server := front.NewServer(h.opts.Hosts, func(req *front.Request) front.Response { return r.serve(calls, req) })
	accepted := make(chan error, 1)
	go func() { accepted <- server.Run(ln) }()
	var triggers sync.WaitGroup
	r.startTriggers(accept, calls, &triggers)

	var result error
	select {
	case <-ctx.Done():
	case <-calls.Done():
		result = context.Cause(calls)
	case result = <-handler:
		handler <- nil
	case result = <-accepted:
		accepted <- nil
	}
	stopAccepting()
	_ = ln.Close()
	patience, cancel := context.WithTimeout(calls, h.opts.StopTimeout)
	defer cancel()
	if result != nil {
		giveUp(result)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		server.Stop(patience)
		triggers.Wait()
		r.manual.Wait()
	}()
	select {
	case <-drained:
	case <-patience.Done():
		// What still runs is cut when the handler is killed.
	}
	giveUp(context.Canceled)
	<-handler
	<-accepted
	<-drained
	return result
}

// announce logs what cannot run, once per run.
func (h *Host) announce() {
	for _, f := range h.functions {
		if f.Disabled { // what else is wrong with it is nobody's concern until then
			h.log.Info("the function is disabled by a setting", "function", f.Name)
			continue
		}
		for _, fault := range f.Errors {
			h.log.Error("the function does not load", "function", f.Name, "error", fault)
		}
	}
}

// handlerSettings adds what the host's tools set for every app.
func (h *Host) handlerSettings(ln net.Listener) app.Settings {
	env := app.Settings{}
	for k, v := range h.env {
		env[k] = v
	}
	for k, v := range map[string]string{
		"AZURE_FUNCTIONS_ENVIRONMENT": "Development",
		"FUNCTIONS_WORKER_RUNTIME":    "custom",
		"AzureWebJobsScriptRoot":      h.config.Root,
		"WEBSITE_HOSTNAME":            ln.Addr().String(),
	} {
		if _, ok := env.Get(k); !ok {
			env[k] = v
		}
	}
	return env
}
