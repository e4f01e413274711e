package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// show puts a token that lives for a time.
func (w *wire) show(bus *minibus.Instance, entity string, life time.Duration) {
	w.t.Helper()
	audience := "amqp://" + bus.Addr + "/" + entity
	w.transfer(0, nil, &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: sas(audience, time.Now().Add(life)),
		ApplicationProperties: map[string]any{"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience},
	})
	require.IsType(w.t, &amqpwire.Accepted{}, expect[*amqpwire.Disposition](w).State)
	expect[*amqpwire.Transfer](w)
}

// Links end with the token that allows them, and with no other; who shows a new one in time keeps them.
func TestExpiredTokensEndLinks(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	w := dialWith(t, bus, "plain", 2*time.Second)
	w.show(bus, "late", time.Hour)
	w.show(bus, "other", 2*time.Second)
	w.sender(2, "plain")
	w.receiver(3, "plain", 1)
	w.sender(4, "plain/$management")
	w.sender(5, "late")
	w.sender(6, "other")
	w.show(bus, "other", time.Hour)
	ended := map[uint32]bool{}
	for range 3 {
		d := expect[*amqpwire.Detach](w)
		require.Equal(t, amqpwire.CondUnauthorized, d.Error.Condition)
		require.Contains(t, d.Error.Description, "ExpiredToken")
		w.send(&amqpwire.Detach{Handle: d.Handle, Closed: true}, nil)
		ended[d.Handle] = true
	}
	require.Equal(t, map[uint32]bool{2: true, 3: true, 4: true}, ended)
	require.IsType(t, &amqpwire.Accepted{}, w.post(5, nil, "x"))
	require.IsType(t, &amqpwire.Accepted{}, w.post(6, nil, "x"))
	w.show(bus, "plain", time.Hour)
	w.sender(2, "plain")
	require.IsType(t, &amqpwire.Accepted{}, w.post(2, nil, "x"))
}

// Who waits for a session waits no longer than the token lasts.
func TestExpiredTokensEndWaits(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	w := dialWith(t, bus, "sessions", 2*time.Second)
	next := amqpwire.Entry{Key: amqpwire.Symbol("com.microsoft:session-filter")}
	a := &amqpwire.Attach{
		Name: "next", Handle: 2, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "sessions", Filter: amqpwire.Map{next}}, Target: &amqpwire.Target{},
	}
	refused := w.attach(a)
	require.Nil(t, refused.Source)
	d := expect[*amqpwire.Detach](w)
	require.Equal(t, amqpwire.CondUnauthorized, d.Error.Condition)
	require.Contains(t, d.Error.Description, "ExpiredToken")
	w.send(&amqpwire.Detach{Handle: 2, Closed: true}, nil)

	sendTo(t, sender(t, connect(t, bus.ConnectionString()), "sessions"), "s", "x")
	require.Zero(t, bus.Counts("sessions").Locked)
	w.show(bus, "sessions", time.Hour)
	require.NotNil(t, w.attach(a).Source)
}

// A filter that is not applied is not told as one that is.
func TestSelectorsAreNotInForce(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	w := dialWire(t, bus)
	selector := amqpwire.Entry{Key: amqpwire.Symbol("apache.org:selector-filter:string"), Value: amqpwire.Described{Descriptor: uint64(0x468C00000004), Value: "a = 2"}}
	session := amqpwire.Entry{Key: amqpwire.Symbol("com.microsoft:session-filter"), Value: "s"}
	attach := func(handle uint32, address string, filters ...amqpwire.Entry) amqpwire.Map {
		return w.attach(&amqpwire.Attach{Name: address, Handle: handle, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: address, Filter: filters}, Target: &amqpwire.Target{}}).Source.Filter
	}
	require.Empty(t, attach(2, "plain", selector))
	require.Equal(t, amqpwire.Map{session}, attach(3, "sessions", selector, session))
}
