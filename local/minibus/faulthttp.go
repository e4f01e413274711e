package minibus

import "github.com/relaybox/relaybox/local/faulthttp"

// Duration is a time.Duration that JSON writes like "250ms".
type Duration = faulthttp.Duration

// faultSwitch switches faults over HTTP.
func (s *Server) faultSwitch() faulthttp.Switch[Fault, Injected] {
	return faulthttp.Switch[Fault, Injected]{Inject: s.Inject, List: s.Faults, Clear: s.ClearFaults,
		Fields: "entity, on, do, times, chance, delay, condition, text"}
}
