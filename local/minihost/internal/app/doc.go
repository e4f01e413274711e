// Package app reads an assembled app folder: host.json, each function.json and the
// settings that they name.
//
// It promises the discovery, the %SETTING% and connection look-up, the overrides
// and the defaults of the real host, and that every fault is named together with
// its remedy: what keeps the host from starting is returned at once and whole, a
// fault of one function stays with that function. What it makes of a file is what
// the parts that run it ask for: a timer.Config, a bus.Trigger, a worker.Config, a
// parsed route. It runs nothing. Nothing that was loaded changes any more.
package app
