package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/relaybox/relaybox/local/stack"
)

// flagOf is the flag that moves a part's address.
var flagOf = map[stack.Part]string{
	stack.Host: "--host-addr", stack.Cosmos: "--cosmos-addr", stack.Bus: "--bus-addr", stack.BusAdmin: "--bus-admin-addr",
}

// remedies are what to do about faults of the data folder.
var remedies = map[error]string{
	stack.ErrInUse:       "stop it, or choose another folder with --data",
	stack.ErrNotAFolder:  "remove the file, or choose a folder with --data",
	stack.ErrNoAccess:    "choose another folder with --data, or run as the user that it belongs to",
	syscall.EROFS:        "choose a folder with --data that can be written in",
	stack.ErrOtherFormat: "--fresh forgets it, --data names another folder",
}

// explain adds to an error what the person at the keyboard can do about it.
func explain(err error) error {
	if busy, ok := errors.AsType[*stack.AddressError](err); ok {
		remedy := fmt.Sprintf("%s another with %s 127.0.0.1:PORT", cureOf(busy.Err), flagOf[busy.Part])
		if busy.Part == stack.BusAdmin {
			remedy += ", or do without it with " + flagOf[busy.Part] + " off"
		}
		return fmt.Errorf("%w; %s", busy, remedy)
	}
	for fault, remedy := range remedies {
		if errors.Is(err, fault) {
			return fmt.Errorf("%w; %s", err, remedy)
		}
	}
	return err
}

// cureOf is what to do about an address that a part cannot listen on.
func cureOf(err error) string {
	_, unknown := errors.AsType[*net.DNSError](err)
	switch {
	case unknown:
		return "no such name is known here; choose"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "it is no address of this machine; choose"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not listen there; choose"
	}
	return "free it or choose"
}
