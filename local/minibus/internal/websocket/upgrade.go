package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 4.2.2 wants it; nothing is kept secret with it
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// protocols are the names under which clients want AMQP: those of Service Bus, and the name that OASIS has given it.
var protocols = []string{"AMQPWSB10", "amqp"}

// salt goes with the client's key into the server's answer (4.2.2).
const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Upgrade turns a request into a connection. A request that asks for something else is answered here.
func Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	protocol := ""
	for _, p := range protocols {
		if protocol == "" && says(r.Header, "Sec-WebSocket-Protocol", p) {
			protocol = p
		}
	}
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case r.Method != http.MethodGet || !says(r.Header, "Connection", "upgrade") || !says(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		return nil, refuse(w, http.StatusUpgradeRequired, "AMQP over WebSockets is here: send a GET with Upgrade: websocket.")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return nil, refuse(w, http.StatusUpgradeRequired, "Version 13 of WebSockets is spoken here.")
	case err != nil || len(nonce) != 16:
		return nil, refuse(w, http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64.")
	case protocol == "":
		return nil, refuse(w, http.StatusBadRequest, "Sec-WebSocket-Protocol must have one of "+strings.Join(protocols, ", ")+".")
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, refuse(w, http.StatusHTTPVersionNotSupported, "WebSockets need HTTP/1.1.")
	}
	sum := sha1.Sum([]byte(key + salt)) //nolint:gosec // as above
	_, err = fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), protocol)
	if err = errors.Join(err, nc.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return &Conn{Conn: nc, in: rw.Reader}, nil
}

// says finds a word in a header that is a list.
func says(h http.Header, name, word string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(h.Values(name), ","), ","), func(one string) bool {
		return strings.EqualFold(strings.TrimSpace(one), word)
	})
}

func refuse(w http.ResponseWriter, status int, text string) error {
	http.Error(w, text, status)
	return errors.New(text)
}
