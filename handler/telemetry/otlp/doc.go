// Package otlp sends spans and metrics to a collector: OTLP over HTTP, in protobuf, from the
// types of OpenTelemetry's SDK. It is here because the SDK's own exporters bring the whole
// protobuf runtime along, which alone would take the handler past its 20 MB; what a message
// looks like on the wire is a few hundred lines, and tests read them with the official types.
//
// An export holds up nobody: the SDK calls it from goroutines of its own, and drops what they
// do not keep up with. Each is bounded by Config.Timeout, its repetitions included. That a
// collector cannot be reached is told once, and that it can again, not for every batch.
package otlp
