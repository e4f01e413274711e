// Command handler is the custom handler of the function app: it reads its
// configuration, listens, and serves the function app (package app) until it is told to
// stop.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/app"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/internal/heap"
)

// The host restarts a handler that exits with 200 and does not count it; it never
// restarts one that exits with 0 (reference: exit rules of custom handlers).
const (
	exitAgain  = 200
	exitFailed = 1
)

// garbage is what may come together before the collector runs, beyond what the runtime would
// allow: under load that saves an eighth of the processor time. Twice as much gave no more.
const garbage = 16 << 20

func main() {
	environment := env.ToMap(os.Environ())
	floor := heap.Floor(garbage, environment)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, environment)
	stop()
	runtime.KeepAlive(floor)
	if err != nil {
		os.Exit(exitFailed)
	}
	os.Exit(exitAgain)
}

// run serves until ctx ends or serving fails. It has logged what it returns.
func run(ctx context.Context, environment map[string]string) error {
	cfg, err := config.Load(environment)
	port, portErr := config.Port(environment)
	// The host marks every line on stderr as an error, so logs go to stdout.
	log := slog.New(telemetry.Correlated(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: cfg.LogLevel})))
	if faults := slices.Concat(config.Faults(err), config.Faults(portErr)); len(faults) > 0 {
		report(log, "configuration fault", faults)
		return errors.Join(faults...)
	}
	if err := serve(ctx, port, cfg, environment, log); err != nil {
		report(log, "handler stopped", config.Faults(err))
		return err
	}
	return nil
}

// report gives each fault a line of its own.
func report(log *slog.Logger, what string, faults []error) {
	for i, fault := range faults {
		log.Error(what, "fault", fault.Error(), "number", i+1, "of", len(faults))
	}
}

func serve(ctx context.Context, port int, cfg config.Config, environment map[string]string, log *slog.Logger) error {
	// The host polls the port until it answers, so nothing may come before this.
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("FUNCTIONS_CUSTOMHANDLER_PORT %d: %w", port, err)
	}
	tell, err := telemetry.Start(environment, functions.Version(), log)
	if err != nil { // the app is worth more than what is told of it
		log.Warn("telemetry is off", "signal", "telemetry", "error", err)
	}
	made, err := app.New(cfg, log, app.Options{Telemetry: tell})
	if err != nil {
		_ = listener.Close() // the process ends, and err is a list of faults as it is
		return err
	}
	// No write timeout and a long idle one: the host keeps connections, and a
	// connection that closes under a request makes it deliver again.
	server := &http.Server{Handler: made, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("handler listens", "port", port, "version", functions.Version(), "pid", os.Getpid())

	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); made.Run(background) }()

	select {
	case err = <-served:
	case <-ctx.Done():
		log.Info("handler stops", "cause", context.Cause(ctx).Error())
		last, end := context.WithTimeout(context.WithoutCancel(ctx), app.Grace)
		defer end()
		err = server.Shutdown(last)
	}
	cancel()
	<-done
	return err
}
