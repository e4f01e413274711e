package minibus

import "github.com/relaybox/relaybox/local/minibus/internal/sas"

// Claim is a right on an entity: a string, whose values are the constants.
type Claim = sas.Claim

// The claims. Manage includes the other two.
const (
	Send   Claim = sas.Send
	Listen Claim = sas.Listen
	Manage Claim = sas.Manage
)

// Policy is a shared access key and what it is good for.
//
//	Name   string  // of the key, required
//	Key    string  // the secret, required
//	Claims []Claim // on every entity; nil: none
//
// Its method ConnectionString(addr string) string is what clients need to reach a broker at host:port with this key.
type Policy = sas.Policy

// DefaultPolicy is the public key of the official emulator, with every claim.
var DefaultPolicy = sas.DefaultPolicy
