package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/minibus/internal/websocket"
)

// websocketPath is where the service's clients look for AMQP over WebSockets. It needs no token: who may do what is
// settled over AMQP.
const websocketPath = "/$servicebus/websocket"

// tunnel hands a client over to AMQP. A page in a browser may open WebSockets to any server, and everybody knows the
// emulator's key: only those of this machine, and of our own names, are let in.
func (a *Handler) tunnel(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && !a.ours(origin, r.Host) {
		http.Error(w, fmt.Sprintf("Pages of %.80q are not let in.", origin), http.StatusForbidden)
		return
	}
	c, err := websocket.Upgrade(w, r)
	if err != nil {
		a.log.Debug("no WebSocket", "remote", r.RemoteAddr, "error", err)
		return
	}
	a.amqp(c)
}

// ours says whether a page is of this server, of this machine, or of a name that the server has been given.
func (a *Handler) ours(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (strings.EqualFold(u.Host, host) || hostname.Loopback(u.Host) || slices.ContainsFunc(a.names, func(own string) bool { return strings.EqualFold(own, u.Hostname()) }))
}
