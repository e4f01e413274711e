package minibus_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A queue that is changed to forward to itself is refused, as in the configuration.
func TestNothingForwardsToItself(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	a := administer(t, bus, bus.ConnectionString())
	queue, err := a.GetQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	self := queue.QueueProperties
	self.ForwardTo = new("plain")
	_, err = a.UpdateQueue(t.Context(), "plain", self, nil)
	requireStatus(t, err, http.StatusBadRequest, "names itself")
	self.ForwardTo, self.ForwardDeadLetteredMessagesTo = nil, new("Plain")
	_, err = a.UpdateQueue(t.Context(), "plain", self, nil)
	requireStatus(t, err, http.StatusBadRequest, "names itself")
}
