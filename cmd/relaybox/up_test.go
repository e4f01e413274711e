package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/stack"
)

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	good := map[string]minibus.Policy{
		"reader=secret:Listen":      {Name: "reader", Key: "secret", Claims: []minibus.Claim{minibus.Listen}},
		"app=a2V5=:x==:Send,Listen": {Name: "app", Key: "a2V5=:x==", Claims: []minibus.Claim{minibus.Send, minibus.Listen}},
		"root=k:Manage,Send,Listen": {Name: "root", Key: "k", Claims: []minibus.Claim{minibus.Manage, minibus.Send, minibus.Listen}},
	}
	for text, want := range good {
		got, err := parsePolicy(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "name", "name=", "name=key", "=key:Send", "name=:Send", "name=key:", "name=key:send", "name=key:Send,"} {
		_, err := parsePolicy(text)
		require.Error(t, err, text)
	}
}

func TestPlainRoute(t *testing.T) {
	t.Parallel()
	for route, want := range map[string]string{
		"api/profiles/{id:regex(^[A-Za-z0-9._~-]{{1,128}}$)}": "api/profiles/{id}",
		"api/profiles/{id}":                                     "api/profiles/{id}",
		"api/{a:int}/x/{b:length(1,2)}/tail":                    "api/{a}/x/{b}/tail",
		"api/p/{id}/{action:regex(^[a-z]?[a-z0-9-]{{0,31}}$)?}": "api/p/{id}/{action?}",
		"api/plain": "api/plain",
	} {
		require.Equal(t, want, plainRoute(route))
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	const host = "http://127.0.0.1:7071"
	for want, f := range map[string]minihost.Function{
		"Write: [PUT,PATCH] http://127.0.0.1:7071/api/p/{id}": {Name: "Write", Trigger: minihost.HTTPTrigger, Methods: []string{"PUT", "PATCH"}, Route: "api/p/{id:int}"},
		"Tick: timerTrigger":                        {Name: "Tick", Trigger: minihost.TimerTrigger},
		"Eat: serviceBusTrigger (disabled)":         {Name: "Eat", Trigger: minihost.ServiceBusTrigger, Disabled: true},
		"Bad: does not load: no bindings; no route": {Name: "Bad", Errors: []string{"no bindings", "no route"}},
	} {
		require.Equal(t, want, describe(f, host))
	}
}

// What up proposes is an address of a function that is there.
func TestExample(t *testing.T) {
	t.Parallel()
	function := func(route string, methods ...string) minihost.Function {
		return minihost.Function{Trigger: minihost.HTTPTrigger, Route: route, Methods: methods}
	}
	timer, disabled := minihost.Function{Trigger: minihost.TimerTrigger}, function("api/off", "GET")
	disabled.Disabled = true
	for want, all := range map[string][]minihost.Function{
		"":                 {timer, disabled, function("api/p/{id}", "PUT")},
		"http://x/api/p/1": {timer, disabled, function("api/w/{id}", "PUT"), function("api/p/{id:int}/{action:alpha?}", "get", "post"), function("api/q", "GET")},
		"http://x/api/q":   {function("api/q", "GET")},
	} {
		require.Equal(t, want, example(all, "http://x"))
	}
}

func TestConfigOfFlags(t *testing.T) {
	t.Parallel()
	f := typed()
	f.only, f.policies = []string{"host", "bus"}, []string{"a=b:Send"}
	cfg, err := f.config([]string{"A=1=2", "=C:=odd", "B="})
	require.NoError(t, err)
	require.Equal(t, []stack.Part{stack.Host, stack.Bus}, cfg.Only)
	require.Equal(t, map[string]string{"A": "1=2", "B": ""}, cfg.Settings)
	require.Equal(t, "a", cfg.Policies[0].Name)
	require.Equal(t, 1<<30, cfg.BusEntityBytes)
	require.Equal(t, "127.0.0.1:5300", cfg.BusAdminAddr)
	f = typed()
	f.admin = "off"
	cfg, err = f.config(nil)
	require.NoError(t, err)
	require.Empty(t, cfg.BusAdminAddr)

	for says, change := range map[string]func(*upFlags){
		"--bus-entity-mb 0": func(f *upFlags) { f.busMB = 0 },
		"--only":            func(f *upFlags) { f.only = []string{"store"} },
		"--bus-policy":      func(f *upFlags) { f.policies = []string{"x"} },
		"--bus-config":      func(f *upFlags) { f.busConfig = filepath.Join(t.TempDir(), "none.json") },
	} {
		f := typed()
		change(&f)
		_, err := f.config(nil)
		require.ErrorContains(t, err, says)
	}
}

// typed are flags that nobody has typed, but for the data folder.
func typed() upFlags {
	return upFlags{
		data: "d", host: "127.0.0.1:7071", cosmos: "127.0.0.1:8081", bus: "127.0.0.1:5672", admin: "127.0.0.1:5300", cosmosRanges: 1, busMB: 1024, page: "off",
	}
}

// TestAddressesThatCannotBe are refused before anything listens, with the flag's name.
func TestAddressesThatCannotBe(t *testing.T) {
	t.Parallel()
	for flag, field := range map[string]func(*upFlags) *string{
		"--host-addr":      func(f *upFlags) *string { return &f.host },
		"--cosmos-addr":    func(f *upFlags) *string { return &f.cosmos },
		"--bus-addr":       func(f *upFlags) *string { return &f.bus },
		"--bus-admin-addr": func(f *upFlags) *string { return &f.admin },
	} {
		for _, addr := range []string{"nonsense", "8081", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "http://127.0.0.1:80"} {
			f := typed()
			*field(&f) = addr
			_, err := f.config(nil)
			require.ErrorContains(t, err, flag+` "`+addr+`" is no address`)
			require.NotContains(t, err.Error(), "free it")
		}
		for _, addr := range []string{"127.0.0.1:0", ":80", "localhost:65535", "[::1]:80"} {
			f := typed()
			*field(&f) = addr
			_, err := f.config(nil)
			require.NoError(t, err, addr)
		}
	}
	f := typed()
	f.bus = f.cosmos
	_, err := f.config(nil)
	require.ErrorContains(t, err, "--cosmos-addr and --bus-addr are both 127.0.0.1:8081")
	f.only = []string{"bus"}
	_, err = f.config(nil)
	require.NoError(t, err, "only one of them runs")
	f = typed()
	f.cosmos, f.bus = "127.0.0.1:0", "127.0.0.1:0"
	_, err = f.config(nil)
	require.NoError(t, err, "a free port is another one each time")
}

// TestCuresOfAddresses: what to do follows from what is wrong.
func TestCuresOfAddresses(t *testing.T) {
	t.Parallel()
	for says, fault := range map[string]error{
		"free it or choose another with --bus-addr":                      syscall.EADDRINUSE,
		"it is no address of this machine; choose another with":          syscall.EADDRNOTAVAIL,
		"this user may not listen there; choose another with --bus-addr": syscall.EACCES,
		"no such name is known here; choose another with --bus-addr":     &net.DNSError{Err: "no such host"},
	} {
		require.ErrorContains(t, explain(&stack.AddressError{Part: stack.Bus, Addr: "a:1", Err: fault}), says)
	}
}

func TestBadBusConfigNamesTheFlagAndTheKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "Config.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"UserConfig":{"Namespaces":[{"Name":"other"}]}}`), 0o600))
	f := typed()
	f.busConfig = file
	_, err := f.config(nil)
	require.ErrorContains(t, err, "--bus-config")
	require.ErrorContains(t, err, "Namespaces")
}

func TestBusyPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	err = run(t.Context(), []string{"up", "--only", "cosmos", "--data", t.TempDir(), "--cosmos-addr", busy.Addr().String()}, t.Output(), t.Output())
	require.ErrorContains(t, err, busy.Addr().String())
	require.ErrorContains(t, err, "--cosmos-addr")

	err = run(t.Context(), []string{"up", "--only", "bus", "--data", t.TempDir(), "--bus-addr", "127.0.0.1:0", "--bus-admin-addr", busy.Addr().String()}, t.Output(), t.Output())
	require.ErrorContains(t, err, "bus-admin cannot listen on "+busy.Addr().String())
	require.ErrorContains(t, err, "--bus-admin-addr off")
}

func TestWelcomeNamesTheAdministration(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{"": false, "127.0.0.1:0": true} {
		s := stack.RunT(t, func(c *stack.Config) { c.Only, c.BusAdminAddr = []stack.Part{stack.Bus}, addr })
		var text strings.Builder
		welcome(&text, s, stack.Config{}, "")
		require.Equal(t, want, strings.Contains(text.String(), "bus administration: http://127.0.0.1:"), text.String())
		require.NotContains(t, text.String(), "http://127.0.0.1:0 ", "the port is the real one")
	}
}

func TestSecondUpOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	stack.RunT(t, func(c *stack.Config) { c.Only, c.Data = []stack.Part{stack.Cosmos}, data })
	err := run(t.Context(), []string{"up", "--only", "cosmos", "--cosmos-addr", "127.0.0.1:0", "--data", data}, t.Output(), t.Output())
	require.ErrorContains(t, err, "another relaybox is running")
	require.ErrorContains(t, err, "--data")
}

func TestADataFolderThatCannotBeUsedNamesTheFlags(t *testing.T) {
	t.Parallel()
	up := func(data string, more ...string) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return run(ctx, append([]string{"up", "--only", "cosmos", "--cosmos-addr", "127.0.0.1:0", "--data", data}, more...), t.Output(), t.Output())
	}
	old := t.TempDir()
	file := filepath.Join(old, "cosmos", "marker")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	err := up(old)
	require.ErrorContains(t, err, old)
	require.ErrorContains(t, err, "another version")
	require.ErrorContains(t, err, "--fresh")
	require.ErrorContains(t, err, "--data")

	err = up(file)
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "choose a folder with --data")
	require.NotContains(t, err.Error(), "another relaybox is running")

	require.NoError(t, up(old, "--fresh"))
	require.NoError(t, up(old))
}

func TestSettingsOrder(t *testing.T) {
	t.Parallel()
	app := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(app, "local.settings.json"), []byte(`{"Values":{"A":"file","B":"file"}} // comment`), 0o600))
	cfg := stack.Config{App: app, Settings: map[string]string{"A": "env"}}
	require.NoError(t, (&upFlags{}).localSettings(&cfg))
	require.Equal(t, "env", cfg.Settings["A"])
	require.Equal(t, "file", cfg.Settings["B"])
	require.True(t, cfg.Leave("A"))
	require.True(t, cfg.Leave("RELAYBOX_INBOX_HOLD"))
	require.True(t, cfg.Leave("AzureWebJobs.Orders.Disabled"))
	require.False(t, cfg.Leave("PATH"))
}

func TestCosmosRanges(t *testing.T) {
	t.Parallel()
	f := typed()
	f.cosmosRanges = 7
	cfg, err := f.config(nil)
	require.NoError(t, err)
	require.Equal(t, 7, cfg.CosmosRanges)
	require.False(t, cfg.CosmosServerless)
	f.serverless = true
	cfg, err = f.config(nil)
	require.NoError(t, err)
	require.True(t, cfg.CosmosServerless)
	err = run(t.Context(), []string{"up", "--only", "cosmos", "--cosmos-addr", "127.0.0.1:0", "--data", t.TempDir(), "--cosmos-ranges", "65"}, t.Output(), t.Output())
	require.ErrorContains(t, err, "--cosmos-ranges 65: 1 to 64 are possible")
}

func TestWhatDoesNotLoadIsSaidLast(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"Broken"}, unloaded([]minihost.Function{{Name: "Fine"}, {Name: "Broken", Errors: []string{"no trigger"}}}))
}

// TestBrokerOfUp: JetStream has no administration, no keys, and listens for this machine only.
func TestBrokerOfUp(t *testing.T) {
	t.Parallel()
	f := typed()
	f.broker = "jetstream"
	cfg, err := f.config(nil)
	require.NoError(t, err)
	require.Equal(t, stack.JetStream, cfg.Broker)
	require.Empty(t, cfg.BusAdminAddr)
	settings := cfg.Planned()
	require.Equal(t, "jetstream", settings["EVENTS_BROKER"])
	require.Equal(t, "true", settings["AzureWebJobs.ConsumeEvent.Disabled"])
	for want, change := range map[string]func(*upFlags){
		`--broker: "kafka" is no broker`: func(f *upFlags) { f.broker = "kafka" },
		`--bus-addr "0.0.0.0:5672"`:      func(f *upFlags) { f.bus = "0.0.0.0:5672" },
		"--bus-config, --bus-premium":    func(f *upFlags) { f.busPremium = true },
	} {
		f := typed()
		f.broker = "jetstream"
		change(&f)
		_, err := f.config(nil)
		require.ErrorContains(t, err, want)
	}
}
