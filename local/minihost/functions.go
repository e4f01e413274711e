package minihost

import "github.com/relaybox/relaybox/local/minihost/internal/app"

// Trigger kinds that this host serves.
const (
	HTTPTrigger       = app.HTTPTrigger
	TimerTrigger      = app.TimerTrigger
	ServiceBusTrigger = app.ServiceBusTrigger
)

// A Function is one function of the app, faulty or not.
//
//	Name     string
//	Trigger  string   // one of the trigger kinds; "" if function.json is unreadable
//	Methods  []string // of an HTTP function, in upper case; none for all
//	Route    string   // of an HTTP function, with its prefix, such as "api/profiles/{id}"
//	Disabled bool     // by a setting: it is shown and never runs
//	Errors   []string // keep it from loading, each with its remedy; the others are not affected
type Function = app.Function

// What Inspect reports.
type (
	// Inspection is what the host makes of an app folder, without running it.
	//
	//	Root      string           // the app folder
	//	Faults    []string         // keep the host from starting, each with its remedy
	//	Host      *HostConfig      // nil if host.json cannot be read
	//	Functions []FunctionDetail // faulty and disabled ones too
	//	Unseen    []Unseen         // what lies in the folder and the host passes over without a word
	Inspection = app.Inspection
	// HostConfig is host.json, with the overrides of the settings and the host's defaults.
	//
	//	Executable      string        // found, "" if none can be used
	//	FunctionTimeout time.Duration // 0: none; default 30 minutes
	//	Forwarding      bool          // enableForwardingHttpRequest
	//	Bundle          string        // id of the extension bundle, "" if there is none
	//	BundleVersion   string        // range of its versions
	//	MaxSessions     int           // extensions.serviceBus.maxConcurrentSessions; default 8
	//	MaxSessionsSet  bool          // false: the host's default
	//	CallsPerSession int           // maxConcurrentCallsPerSession; default 1
	//	MaxCalls        int           // maxConcurrentCalls, without sessions; default 16 for each processor
	//	MaxCallsSet     bool          // false: the host's default
	//	AutoComplete    bool          // autoCompleteMessages
	//	LockRenewal     time.Duration // maxAutoLockRenewalDuration; default 5 minutes, negative: without an end
	//	Sampling        bool          // of Application Insights; default true
	//	NotSampled      []string      // excludedTypes
	//	UnknownKeys     []string      // at the top level
	HostConfig = app.HostConfig
	// FunctionDetail is a function with what its trigger waits for.
	//
	//	Function                   // embedded
	//	Schedule     string        // of a timer, with its settings filled in
	//	Interval     time.Duration // between the next two runs of a timer
	//	Cron         bool          // false: a time span, which Azure's plans do not all take
	//	Queue        string        // of a Service Bus trigger, or
	//	Topic        string        // these two
	//	Subscription string
	//	Sessions     bool          // of a Service Bus trigger: it takes sessions
	//	Rule         string        // that its subscription must have; "" for everything
	FunctionDetail = app.FunctionDetail
	// Unseen is a path, relative to the app folder, and why the host does not see it.
	//
	//	Path     string
	//	Why      string
	//	Function bool // a function is lost by it
	Unseen = app.Unseen
)

// Inspect reads an app folder as Load does and reports everything instead of stopping at
// the first thing. settings are all there are: the environment is not asked.
func Inspect(folder string, settings map[string]string) (Inspection, error) {
	return app.Inspect(folder, settings)
}
