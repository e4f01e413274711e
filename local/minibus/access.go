package minibus

import "github.com/relaybox/relaybox/local/minibus/internal/sas"

// Claim is a right on an entity.
type Claim = sas.Claim

// The claims. Manage includes the other two.
const (
	Send   = sas.Send
	Listen = sas.Listen
	Manage = sas.Manage
)

// Policy is a shared access key and what it is good for.
type Policy = sas.Policy

// DefaultPolicy is the public key of the official emulator, with every claim.
var DefaultPolicy = sas.DefaultPolicy
