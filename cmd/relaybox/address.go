package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/relaybox/relaybox/local/stack"
)

// checkAddresses refuses what nobody can listen on, before anything listens.
func checkAddresses(cfg stack.Config) error {
	taken := map[string]string{}
	for _, part := range []stack.Part{stack.Host, stack.Cosmos, stack.Bus, stack.BusAdmin} {
		flag, addr := flagOf[part], addressOf(cfg, part)
		if part == stack.BusAdmin && addr == "" {
			continue
		}
		host, text, err := net.SplitHostPort(addr)
		port, bad := strconv.ParseUint(text, 10, 16)
		if err != nil || bad != nil {
			return fmt.Errorf("%s %q is no address: write HOST:PORT, such as 127.0.0.1:%s, with a port from 0, for a free one, to 65535", flag, addr, usual[part])
		}
		if other := taken[addr]; other != "" && port != 0 && runs(cfg, part) {
			return fmt.Errorf("%s and %s are both %s: give one of them another port of %s", other, flag, addr, host)
		}
		if runs(cfg, part) {
			taken[addr] = flag
		}
	}
	return nil
}

// usual is the port of a part that nobody has moved.
var usual = map[stack.Part]string{stack.Host: "7071", stack.Cosmos: "8081", stack.Bus: "5672", stack.BusAdmin: "5300"}

func addressOf(cfg stack.Config, part stack.Part) string {
	switch part {
	case stack.Host:
		return cfg.HostAddr
	case stack.Cosmos:
		return cfg.CosmosAddr
	case stack.Bus:
		return cfg.BusAddr
	}
	return cfg.BusAdminAddr
}

func runs(cfg stack.Config, part stack.Part) bool {
	if part == stack.BusAdmin {
		part = stack.Bus
	}
	if len(cfg.Only) == 0 {
		return true
	}
	for _, only := range cfg.Only {
		if only == part {
			return true
		}
	}
	return false
}
