package doctor

import (
	"fmt"
	"net"
	"strings"

	"github.com/relaybox/relaybox/azure/probe"
)

// Access is the outcome of the first question to a service.
type Access struct {
	Subject string
	Place   string // host:port or host
	Key     bool   // asked with a key of the settings, not with an identity
	Err     error  // judged; nil: let in
	Fine    string // what to say then
	Start   string // remedy if nothing answers on this machine
	Role    string // that an identity needs
}

// CheckAccess judges it.
func CheckAccess(a Access) Finding {
	if a.Err == nil {
		return ok(a.Subject, "%s", a.Fine)
	}
	found := a.Err.Error()
	switch probe.Of(a.Err) {
	case probe.NoAnswer:
		if loopback(a.Place) {
			return finding(Refused, a.Subject, fmt.Sprintf("nothing answers at %s (%s)", a.Place, reason(found)), a.Start)
		}
		return finding(Unknown, a.Subject, fmt.Sprintf("%s does not answer (%s)", a.Place, reason(found)),
			"check the name and the network; behind a private endpoint run doctor inside that network")
	case probe.NoToken:
		return finding(Unknown, a.Subject, "no token to sign in with: "+found, "run az login, or doctor --managed-identity on a machine that has the app's identity")
	case probe.Unauthorized, probe.Forbidden:
		if a.Key {
			return finding(Refused, a.Subject, a.Place+" does not accept the key of the settings, or not from here ("+found+")",
				"copy the connection string anew; if the key is right, look at the clock and at the network rules")
		}
		return finding(Unknown, a.Subject, "the signed-in identity may not read this, or not from here ("+found+")", "give it the role "+a.Role+", or open the network rules for this machine")
	}
	return finding(Unknown, a.Subject, a.Place+" answers oddly: "+found, "check that the connection names the right service")
}

// reason shortens what the network stack says: its last clause is the one that tells.
func reason(text string) string {
	if strings.Contains(text, "deadline exceeded") || strings.Contains(text, "did not answer in time") {
		return "no answer in time"
	}
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}

// loopback says whether a place is on this machine.
func loopback(place string) bool {
	host, _, err := net.SplitHostPort(place)
	if err != nil {
		host = place
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
