package sas

import "fmt"

// Claim is a right on an entity.
type Claim string

// The claims. Manage includes the other two.
const (
	Send   Claim = "Send"
	Listen Claim = "Listen"
	Manage Claim = "Manage"
)

// Policy is a shared access key and what it is good for.
type Policy struct {
	Name, Key string
	Claims    []Claim
}

// Rule is a policy of one entity, an AuthorizationRule: either of its keys is good.
type Rule struct {
	Name, Primary, Secondary string
	Claims                   []Claim
}

// DefaultPolicy is the public key of the official emulator, with every claim.
var DefaultPolicy = Policy{Name: "RootManageSharedAccessKey", Key: "SAS_KEY_VALUE", Claims: []Claim{Manage, Send, Listen}}

// ConnectionString is what clients need to reach a broker at host:port with this key.
func (p Policy) ConnectionString(addr string) string {
	return fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true;", addr, p.Name, p.Key)
}
