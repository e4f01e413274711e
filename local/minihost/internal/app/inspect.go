package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/timer"
)

// Inspection is what the host makes of an app folder, without running it.
type Inspection struct {
	Root string
	// Faults keep the host from starting; each names its remedy.
	Faults []string
	// Host is nil if host.json cannot be read.
	Host      *HostConfig
	Functions []FunctionDetail
	// Unseen is what lies in the folder and the host passes over without a word.
	Unseen []Unseen
}

// HostConfig is host.json, with the overrides of the settings and the host's defaults.
type HostConfig struct {
	Executable            string        // found, "" if none can be used
	FunctionTimeout       time.Duration // 0: none
	Forwarding            bool          // enableForwardingHttpRequest
	Bundle, BundleVersion string        // "" if there is none
	MaxSessions           int           // extensions.serviceBus.maxConcurrentSessions
	MaxSessionsSet        bool          // false: the host's default
	CallsPerSession       int
	MaxCalls              int  // extensions.serviceBus.maxConcurrentCalls
	MaxCallsSet           bool // false: the host's default, which depends on the machine
	AutoComplete          bool
	LockRenewal           time.Duration // maxAutoLockRenewalDuration; negative: without an end
	Sampling              bool          // of Application Insights
	NotSampled            []string      // excludedTypes
	UnknownKeys           []string      // at the top level
}

// FunctionDetail is a function with what its trigger waits for.
type FunctionDetail struct {
	Function
	// Schedule of a timer, with its settings filled in. Interval is the time between
	// the next two runs; Cron is false for a time span, which Azure's plans do not all take.
	Schedule string
	Interval time.Duration
	Cron     bool
	// Topic and Subscription, or Queue, of a Service Bus trigger.
	Queue, Topic, Subscription string
	Sessions                   bool
	// Rule is the member "rule" of a function.json with a Service Bus trigger, with its settings
	// filled in: no host reads it, it says what the subscription must have. "" is everything.
	Rule string
}

// Unseen is a path, relative to the app folder, and why the host does not see it.
type Unseen struct {
	Path, Why string
	// Function says that a function is lost by it.
	Function bool
}

// Inspect reads an app folder as Load does and reports everything instead of stopping at
// the first thing. settings are all there are: the environment is not asked.
func Inspect(app string, settingValues map[string]string) (Inspection, error) {
	root, err := filepath.Abs(app)
	if err != nil {
		return Inspection{}, err
	}
	if !isDir(root) {
		return Inspection{}, checkFolder(root)
	}
	i := Inspection{Root: root}
	if err := checkFolder(root); err != nil {
		i.Faults = append(i.Faults, err.Error())
	}
	s := Settings(settingValues)
	config, faults := loadConfig(root, s)
	i.Faults = append(i.Faults, faults...)
	i.Host = inspectHost(config, s)
	functions, err := discover(config, s)
	if err != nil {
		return i, fmt.Errorf("app folder %q: %w", root, err)
	}
	for _, f := range functions {
		i.Functions = append(i.Functions, detail(f))
	}
	i.Unseen, err = unseen(config)
	return i, err
}

func detail(f *Definition) FunctionDetail {
	d := FunctionDetail{
		Function: f.Function, Schedule: f.Timer.Text, Sessions: f.Bus.Sessions,
		Queue: f.Bus.Queue, Topic: f.Bus.Topic, Subscription: f.Bus.Subscription, Rule: f.Rule,
	}
	if s := f.Timer.Schedule; s != nil {
		first := s.Next(time.Now().UTC())
		d.Interval = s.Next(first).Sub(first)
		_, span := s.(timer.Every)
		d.Cron = !span
	}
	return d
}

// inspectHost reads what loadConfig has no use for; nil if that could not read it.
func inspectHost(c Config, s Settings) *HostConfig {
	text, err := os.ReadFile(filepath.Join(c.Root, "host.json"))
	if err != nil {
		return nil
	}
	doc, err := parseTree(text)
	if err != nil {
		return nil
	}
	h := &HostConfig{
		Executable: c.Handler.Path, FunctionTimeout: c.FunctionTimeout, Forwarding: c.Forward,
		Bundle: c.bundle, MaxSessions: c.Bus.MaxSessions, CallsPerSession: c.Bus.CallsPerSession, MaxCalls: c.Bus.MaxCalls,
		AutoComplete: c.Bus.AutoComplete, LockRenewal: c.Bus.MaxRenewal,
	}
	for key := range doc {
		if !slices.ContainsFunc(hostKeys, func(known string) bool { return strings.EqualFold(known, key) }) {
			h.UnknownKeys = append(h.UnknownKeys, key)
		}
	}
	slices.Sort(h.UnknownKeys)
	s.hostOverrides(doc)
	r := &reader{tree: doc, file: "host.json"}
	h.BundleVersion = r.text("extensionBundle", "version")
	h.MaxSessionsSet = r.text("extensions", "serviceBus", "maxConcurrentSessions") != ""
	h.MaxCallsSet = r.text("extensions", "serviceBus", "maxConcurrentCalls") != ""
	sampling := []string{"logging", "applicationInsights", "samplingSettings"}
	h.Sampling = r.flag(true, append(sampling, "isEnabled")...)
	for name := range strings.SplitSeq(r.text(append(sampling, "excludedTypes")...), ";") {
		if name = strings.TrimSpace(name); name != "" {
			h.NotSampled = append(h.NotSampled, name)
		}
	}
	return h
}

// hostKeys are the top-level keys that the host knows (reference §1.2).
var hostKeys = []string{
	"version", "functionTimeout", "retry", "functions", "http", "watchDirectories", "watchFiles", "queues", "serviceBus", "eventHub",
	"singleton", "logging", "aggregator", "healthMonitor", "extensionBundle", "managedDependencies", "customHandler", "httpWorker",
	"extensions", "concurrency", "sendCanceledInvocationsToWorker", "metadataProviderTimeout", "telemetryMode", "configurationProfile", "$schema",
}
