package minihost

import "github.com/relaybox/relaybox/local/minihost/internal/app"

// Trigger kinds that this host serves.
const (
	HTTPTrigger       = app.HTTPTrigger
	TimerTrigger      = app.TimerTrigger
	ServiceBusTrigger = app.ServiceBusTrigger
)

// A Function is one function of the app, faulty or not.
type Function = app.Function

// What Inspect reports.
type (
	// Inspection is what the host makes of an app folder, without running it.
	Inspection = app.Inspection
	// HostConfig is host.json, with the overrides of the settings and the host's defaults.
	HostConfig = app.HostConfig
	// FunctionDetail is a function with what its trigger waits for.
	FunctionDetail = app.FunctionDetail
	// Unseen is a path, relative to the app folder, and why the host does not see it.
	Unseen = app.Unseen
)

// Inspect reads an app folder as Load does and reports everything instead of stopping at
// the first thing. settings are all there are: the environment is not asked.
func Inspect(folder string, settings map[string]string) (Inspection, error) {
	return app.Inspect(folder, settings)
}
