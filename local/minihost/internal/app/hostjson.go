package app

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/bus"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// Config is host.json with its defaults (reference §1.2 to §1.4).
type Config struct {
	Root            string        // the app folder, absolute
	FunctionTimeout time.Duration // 0: none
	Forward         bool          // enableForwardingHttpRequest
	Handler         worker.Config
	Bus             bus.Config

	allowed     []string // nil: every function
	routePrefix string
	hasBundle   bool
	bundle      string
}

// loadConfig reads host.json and applies the environment's overrides.
func loadConfig(root string, s Settings) (Config, []string) {
	text, err := os.ReadFile(filepath.Join(root, "host.json"))
	if err != nil {
		return Config{Root: root}, []string{fmt.Sprintf("host.json cannot be read: %v", err)}
	}
	doc, err := parseTree(text)
	if err != nil {
		return Config{Root: root}, []string{fmt.Sprintf("host.json: %v", err)}
	}
	s.hostOverrides(doc)
	r := &reader{tree: doc, file: "host.json"}
	if v := r.text("version"); v != "2.0" {
		r.fault([]string{"version"}, "is %q; write \"2.0\"", v)
	}
	c := Config{
		Root:            root,
		FunctionTimeout: functionTimeout(r),
		allowed:         r.texts("functions"),
		routePrefix:     "api",
		bundle:          r.text("extensionBundle", "id"),
		Forward:         r.flag(false, "customHandler", "enableForwardingHttpRequest"),
		Handler:         readHandler(r, root, s),
		Bus:             readBus(r),
	}
	if r.tree.at("extensions", "http", "routePrefix") != nil {
		c.routePrefix = r.text("extensions", "http", "routePrefix")
	}
	if c.hasBundle = c.bundle != ""; c.hasBundle && r.text("extensionBundle", "version") == "" {
		r.fault([]string{"extensionBundle", "version"}, `is missing; write "[4.*, 5.0.0)"`)
	}
	return c, r.faults
}

func functionTimeout(r *reader) time.Duration {
	if r.text("functionTimeout") == "-1" {
		return 0
	}
	d := r.span(30*time.Minute, "functionTimeout")
	if d < time.Second {
		r.fault([]string{"functionTimeout"}, "must be at least 00:00:01, or -1 for none")
	}
	return d
}

func readBus(r *reader) bus.Config {
	at := func(name ...string) []string { return append([]string{"extensions", "serviceBus"}, name...) }
	b := bus.Config{
		MaxSessions:     r.number(8, at("maxConcurrentSessions")...),
		MaxCalls:        r.number(16*runtime.NumCPU(), at("maxConcurrentCalls")...),
		CallsPerSession: r.number(1, at("maxConcurrentCallsPerSession")...),
		SessionIdle:     r.span(0, at("sessionIdleTimeout")...),
		MaxRenewal:      r.span(5*time.Minute, at("maxAutoLockRenewalDuration")...),
		AutoComplete:    r.flag(true, at("autoCompleteMessages")...),
		TryTimeout:      r.span(time.Minute, at("clientRetryOptions", "tryTimeout")...),
	}
	for name, n := range map[string]int{"maxConcurrentSessions": b.MaxSessions, "maxConcurrentCalls": b.MaxCalls} {
		if n < 1 {
			r.fault(at(name), "is %d; write at least 1", n)
		}
	}
	if b.MaxRenewal < 0 && b.MaxRenewal != -time.Millisecond { // .NET's infinite time span
		r.fault(at("maxAutoLockRenewalDuration"), "is %s; write hh:mm:ss, or -00:00:00.001 for a renewal without an end", b.MaxRenewal)
	}
	if b.CallsPerSession != 1 {
		r.fault(at("maxConcurrentCallsPerSession"), "is %d; only 1 keeps the order of a session, and only 1 is supported here", b.CallsPerSession)
	}
	if b.SessionIdle == 0 {
		b.SessionIdle = b.TryTimeout
	}
	return b
}

func readHandler(r *reader, root string, s Settings) worker.Config {
	at := func(name ...string) []string { return append([]string{"customHandler"}, name...) }
	h := worker.Config{
		Root:       root,
		Dir:        s.expand(r.text(at("description", "workingDirectory")...)),
		Init:       r.span(30*time.Second, at("initializationTimeout")...),
		Port:       r.number(0, at("port")...),
		StderrOnly: r.flag(true, at("description", "useStdErrorStreamForErrorsOnly")...),
	}
	if script := s.expand(r.text(at("description", "defaultWorkerPath")...)); script != "" {
		h.Arguments = append(h.Arguments, script)
	}
	for _, list := range []string{"arguments", "workerArguments"} {
		for _, a := range r.texts(at("description", list)...) {
			h.Arguments = append(h.Arguments, s.expand(a))
		}
	}
	if !filepath.IsAbs(h.Dir) {
		h.Dir = filepath.Join(root, h.Dir)
	}
	name := s.expand(r.text(at("description", "defaultExecutablePath")...))
	if name == "" {
		r.fault(at("description", "defaultExecutablePath"), `is missing; write the handler's file name, such as "handler"`)
		return h
	}
	path, err := findExecutable(root, name)
	if err != nil {
		r.fault(at("description", "defaultExecutablePath"), "%v", err)
	}
	h.Path = path
	return h
}

// findExecutable looks in the app folder, then in PATH.
func findExecutable(root, name string) (string, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, name)
	}
	for _, candidate := range []string{path, path + executableSuffix()} {
		info, err := os.Stat(candidate)
		if err != nil {
			continue
		}
		if info.IsDir() {
			return "", fmt.Errorf("%s is a folder, not a program", candidate)
		}
		if runtime.GOOS != "windows" && info.Mode()&fs.ModePerm&0o111 == 0 {
			return "", fmt.Errorf("%s lacks the execute bit; run chmod +x on it", candidate)
		}
		return candidate, nil
	}
	if found, err := exec.LookPath(name); err == nil && filepath.Base(name) == name {
		return found, nil
	}
	return "", fmt.Errorf("there is no program %s, neither in %s nor in PATH; run relaybox assemble", name, root)
}
