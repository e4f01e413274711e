package main

import (
	"fmt"
	"net"

	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/stack"
)

// setBroker reads --broker. What is for Service Bus alone is not passed over in silence, and the NATS
// server, which knows no users here, listens on loopback only.
func (f *upFlags) setBroker(cfg *stack.Config) (err error) {
	if cfg.Broker, err = stack.ParseBroker(f.broker); err != nil {
		return fmt.Errorf("--broker: %w", err)
	}
	if cfg.Broker != stack.JetStream {
		return nil
	}
	cfg.BusAdminAddr = ""
	host, _, err := net.SplitHostPort(f.bus)
	switch {
	case err != nil:
		return nil // checkAddresses says so
	case !hostname.Loopback(host):
		return fmt.Errorf("--bus-addr %q: the NATS server asks nobody who they are here, so it is for this machine only; write 127.0.0.1:PORT", f.bus)
	case f.busConfig != "" || f.busPremium || len(f.policies) > 0:
		return fmt.Errorf("--bus-config, --bus-premium and --bus-policy are for Service Bus: leave them out with --broker jetstream")
	}
	return nil
}
