package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/internal/heap"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/stack"
)

// garbage is what may come together before the collector runs, beyond what the runtime would
// allow: a stand-in holds few megabytes and allocates as much for every fifty events. Twice as
// much gave the store little more.
const garbage = 12 << 20

// maxRanges is how many physical ranges a container of the store may begin with.
const maxRanges = 64

// upFlags are the flags of up, as they were typed.
type upFlags struct {
	app, data    string
	broker       string
	fresh        bool
	acceptLoss   bool
	host, cosmos string
	cosmosTLS    bool
	cosmosRanges int
	serverless   bool
	busMB        int
	busPremium   bool
	bus, admin   string
	busConfig    string
	policies     []string
	only         []string
	hosts        []string
	page         string
	verbose      bool
}

func upCommand() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the app with its store, bus and host on this machine, until Ctrl-C",
		Long: `Runs the function app on stand-ins for Cosmos DB, Service Bus and the Functions host, all
in this process, with the app's own handler below them. Data is kept in --data: start again
and everything that was acknowledged is there. In the source tree the app is assembled
first; --app runs a folder as it is.

Settings come from the environment, then from local.settings.json (in the app folder or
here), then from defaults. The connection strings of the parts that run here go over all.
With --broker jetstream the NATS server itself stands in Service Bus' place, on --bus-addr, with a
stream, a durable consumer and a stream of dead letters; there is no page then.

With --only host nothing is set for you: the app connects to what its settings say.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.app, "app", "", "assembled app folder (default: assemble dist/app of the source tree)")
	flags.StringVar(&f.data, "data", "", "folder that keeps the data (default .relaybox in the source tree, or here)")
	flags.BoolVar(&f.fresh, "fresh", false, "forget the data of earlier runs first")
	flags.BoolVar(&f.acceptLoss, "accept-loss", false, "start on data that is damaged, with what is left of it; without, up says what is gone and ends")
	flags.StringVar(&f.host, "host-addr", "127.0.0.1:7071", "address of the Functions host")
	flags.StringVar(&f.cosmos, "cosmos-addr", "127.0.0.1:8081", "address of the Cosmos DB stand-in")
	flags.BoolVar(&f.cosmosTLS, "cosmos-tls", false, "serve the store over https; its certificate stands in the data folder")
	flags.IntVar(&f.cosmosRanges, "cosmos-ranges", 1, "physical ranges of containers that are created from now on, 1 to 64")
	flags.BoolVar(&f.serverless, "cosmos-serverless", false, "a store without throughputs, as a serverless account is")
	flags.StringVar(&f.bus, "bus-addr", "127.0.0.1:5672", "address of the Service Bus stand-in (AMQP)")
	flags.StringVar(&f.broker, "broker", string(stack.ServiceBus), "what events go over: servicebus, or jetstream")
	flags.StringVar(&f.busConfig, "bus-config", "", "topology of the bus, in the official emulator's Config.json format")
	flags.IntVar(&f.busMB, "bus-entity-mb", 1024, "quota of a queue or subscription of the bus that has none of its own, in MB")
	flags.BoolVar(&f.busPremium, "bus-premium", false, "the bus is a Premium namespace: messages up to 1 MB, or up to 100 MB in an entity that says so")
	flags.StringArrayVar(&f.policies, "bus-policy", nil, "further key of the bus, `NAME=KEY:Send,Listen` (repeatable)")
	flags.StringVar(&f.admin, "bus-admin-addr", "127.0.0.1:5300", "address of the bus's administration REST and GET /health, plain http; \"\" or off for none")
	flags.StringVar(&f.page, "page-addr", usualPage, "loopback address of the live page, or off; it needs the store and the bus here")
	flags.StringSliceVar(&f.hosts, "allow-host", nil, "further `NAME` that clients call the parts by, besides localhost (repeatable); requests under others are a web page's and refused")
	flags.StringSliceVar(&f.only, "only", nil, "run only these parts: cosmos, bus, host")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what the stand-ins do")
	return cmd
}

func up(ctx context.Context, f upFlags, stdout, stderr io.Writer) error {
	cfg, err := f.config(os.Environ())
	if err != nil {
		return usageError{err}
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	cfg.HandlerOutput = stdout
	cfg.Notice = func(s string) { _, _ = fmt.Fprintln(stdout, "relaybox:", s) }
	cfg.Progress = func(s string) { _, _ = fmt.Fprintln(stderr, "relaybox:", s) }
	if !f.runs(stack.Host) {
		cfg.Functions = f.functions()
	} else {
		if cfg.App, err = f.appFolder(ctx, stdout); err != nil {
			return err
		}
		if err := f.localSettings(&cfg); err != nil {
			return err
		}
		if err := preflight(cfg); err != nil {
			return err
		}
	}
	live, err := f.openPage(&cfg)
	if err != nil {
		return err
	}
	floor := heap.Floor(garbage, environment(os.Environ()))
	err = live.around(ctx, cfg, stdout, stderr)
	runtime.KeepAlive(floor)
	return explain(err)
}

// config turns the flags into a stack's configuration, without touching anything.
func (f *upFlags) config(environ []string) (stack.Config, error) {
	if f.data == "" {
		f.data = filepath.Join(home(), doctor.DataFolder)
	}
	cfg := stack.Config{
		Data: f.data, Fresh: f.fresh, AcceptLoss: f.acceptLoss, HostAddr: f.host, CosmosAddr: f.cosmos, CosmosTLS: f.cosmosTLS, CosmosRanges: f.cosmosRanges, CosmosServerless: f.serverless,
		BusAddr: f.bus, BusAdminAddr: f.admin, BusPremium: f.busPremium, Hosts: f.hosts, Settings: environment(environ),
	}
	if cfg.BusAdminAddr == "off" {
		cfg.BusAdminAddr = ""
	}
	if err := f.setBroker(&cfg); err != nil {
		return cfg, err
	}
	if f.cosmosRanges < 1 || f.cosmosRanges > maxRanges {
		return cfg, fmt.Errorf("--cosmos-ranges %d: 1 to %d are possible", f.cosmosRanges, maxRanges)
	}
	if err := atLeast("bus-entity-mb", f.busMB, 1); err != nil {
		return cfg, err
	}
	cfg.BusEntityBytes = f.busMB << 20
	for _, name := range f.only {
		part, err := stack.ParsePart(name)
		if err != nil {
			return cfg, fmt.Errorf("--only: %w", err)
		}
		cfg.Only = append(cfg.Only, part)
	}
	if err := checkAddresses(cfg); err != nil {
		return cfg, err
	}
	if err := f.checkPage(); err != nil {
		return cfg, err
	}
	for _, text := range f.policies {
		policy, err := parsePolicy(text)
		if err != nil {
			return cfg, fmt.Errorf("--bus-policy %q: %w", text, err)
		}
		cfg.Policies = append(cfg.Policies, policy)
	}
	if f.busConfig != "" {
		file, err := os.Open(f.busConfig)
		if err != nil {
			return cfg, fmt.Errorf("--bus-config: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
		if cfg.Topology, err = minibus.LoadConfig(file); err != nil {
			return cfg, fmt.Errorf("--bus-config %s: %w", f.busConfig, err)
		}
	}
	return cfg, nil
}

func (f *upFlags) runs(p stack.Part) bool {
	if len(f.only) == 0 {
		return true
	}
	for _, name := range f.only {
		if name == string(p) {
			return true
		}
	}
	return false
}

func environment(environ []string) map[string]string {
	settings := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			settings[name] = value
		}
	}
	return settings
}

// parsePolicy reads NAME=KEY:Send,Listen. A key may hold = and :, so the claims begin
// behind the last colon.
func parsePolicy(text string) (minibus.Policy, error) {
	name, rest, named := strings.Cut(text, "=")
	at := strings.LastIndexByte(rest, ':')
	if !named || name == "" || at < 1 {
		return minibus.Policy{}, errors.New("write NAME=KEY:Send,Listen")
	}
	policy := minibus.Policy{Name: name, Key: rest[:at]}
	for claim := range strings.SplitSeq(rest[at+1:], ",") {
		switch c := minibus.Claim(claim); c {
		case minibus.Send, minibus.Listen, minibus.Manage:
			policy.Claims = append(policy.Claims, c)
		default:
			return minibus.Policy{}, fmt.Errorf("%q is no claim: use Send, Listen or Manage", claim)
		}
	}
	return policy, nil
}

// appFolder is --app, or the source tree's dist/app, made anew.
func (f *upFlags) appFolder(ctx context.Context, stdout io.Writer) (string, error) {
	if f.app != "" {
		return f.app, nil
	}
	source, err := stack.FindSource(".")
	if err != nil {
		return "", fmt.Errorf("there is no app to run: %w; change into a clone of the repository, or name an assembled folder with --app", err)
	}
	app := filepath.Join(source, "dist", "app")
	_, _ = fmt.Fprintln(stdout, "assembling", app)
	if err := stack.Assemble(ctx, stack.Build{Source: source}, app); err != nil {
		return "", fmt.Errorf("assemble: %w", err)
	}
	return app, nil
}

// functions is the folder that tells a bus without a host here which subscriptions there are; ""
// for only the one that the settings name.
func (f *upFlags) functions() string {
	if f.app != "" {
		return f.app
	}
	source, err := stack.FindSource(".")
	if err != nil {
		return ""
	}
	return filepath.Join(source, "functions")
}

// localSettings puts local.settings.json under the environment.
func (f *upFlags) localSettings(cfg *stack.Config) error {
	settings := map[string]string{}
	for _, dir := range []string{home(), cfg.App} {
		values, err := stack.ReadLocalSettings(filepath.Join(dir, "local.settings.json"))
		if err != nil {
			return err
		}
		maps.Copy(settings, values)
	}
	cfg.Leave = leaves(settings)
	settings = maps.Clone(settings)
	maps.Copy(settings, cfg.Settings)
	cfg.Settings = settings
	return nil
}

// welcome prints what runs and how to try it.
func welcome(w io.Writer, s *stack.Stack, cfg stack.Config, page string) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if s.HostURL != "" {
		say("\nFunctions:\n")
		for _, f := range s.Functions() {
			say("        %s", describe(f, s.HostURL))
		}
	}
	say("")
	if s.CosmosConnection != "" {
		say("COSMOS_CONNECTION=%s", s.CosmosConnection)
	}
	if s.CosmosURL != "" {
		say("what the store holds: %s%s", s.CosmosURL, minicosmos.Explorer)
	}
	if s.BusConnection != "" {
		say("SERVICEBUS_CONNECTION=%s", s.BusConnection)
	}
	if s.StreamURL != "" {
		say("NATS_URL=%s", s.StreamURL)
	}
	if s.BusAdminAddr != "" {
		say("bus administration: http://%s (and /health)", s.BusAdminAddr)
	}
	if s.BusCertificate != "" {
		say("bus over TLS: the same port; clients trust %s", s.BusCertificate)
	}
	if s.CosmosConnection != "" || s.BusAddr != "" {
		say("data in %s", cfg.Data)
	}
	if s.HostURL != "" {
		if url := example(s.Functions(), s.HostURL); url != "" {
			say("\nTry:\n\n        curl -i %s", url)
		}
		if broken := unloaded(s.Functions()); len(broken) > 0 {
			say("\nNOT RUNNING, for the reason in the list above: %s", strings.Join(broken, ", "))
		}
	}
	if page != "" {
		say("\nLook at it: %s", page)
	}
	say("\nCtrl-C stops it.\n")
}

// unloaded are the functions that the host cannot run: the app looks healthy without them.
func unloaded(functions []minihost.Function) []string {
	var names []string
	for _, f := range functions {
		if len(f.Errors) > 0 && !f.Disabled {
			names = append(names, f.Name)
		}
	}
	return names
}

// describe is a function's line as func start prints it.
func describe(f minihost.Function, host string) string {
	if len(f.Errors) > 0 && !f.Disabled {
		return f.Name + ": does not load: " + strings.Join(f.Errors, "; ")
	}
	line := f.Name + ": " + f.Trigger
	if f.Trigger == minihost.HTTPTrigger {
		line = fmt.Sprintf("%s: [%s] %s/%s", f.Name, strings.Join(f.Methods, ","), host, plainRoute(f.Route))
	}
	if f.Disabled {
		line += " (disabled)"
	}
	return line
}

// plainRoute leaves the constraints of a route out: {id:regex(…)} becomes {id}, and what
// need not be there stays {action?}. Braces inside a constraint are doubled.
func plainRoute(route string) string {
	var plain strings.Builder
	depth, constraint, last := 0, false, ' '
	for _, r := range route {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
			if constraint && depth == 0 && last == '?' {
				plain.WriteRune('?')
			}
			constraint = constraint && depth > 0
		case r == ':' && depth == 1:
			constraint = true
		}
		if !constraint {
			plain.WriteRune(r)
		}
		last = r
	}
	return plain.String()
}

var (
	optional  = regexp.MustCompile(`/?\{[^}]*\?\}`)
	parameter = regexp.MustCompile(`\{[^}]*\}`)
)

// example is a URL that the first function with a GET answers, whatever it is about; "" if
// there is none.
func example(functions []minihost.Function, host string) string {
	for _, f := range functions {
		if f.Trigger != minihost.HTTPTrigger || f.Disabled || len(f.Errors) > 0 || !slices.ContainsFunc(f.Methods, isGet) {
			continue
		}
		return host + "/" + parameter.ReplaceAllString(optional.ReplaceAllString(plainRoute(f.Route), ""), "1")
	}
	return ""
}

func isGet(method string) bool { return strings.EqualFold(method, "GET") }
