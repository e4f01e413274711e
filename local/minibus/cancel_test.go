package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A schedule that is named twice is cancelled once.
func TestCancelTheSameTwice(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	s := sender(t, connect(t, bus.ConnectionString()), "sessions")
	later := time.Now().Add(time.Hour)
	numbers, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{SessionID: new("k")}, {SessionID: new("k")}}, later, nil)
	require.NoError(t, err)
	require.NoError(t, s.CancelScheduledMessages(t.Context(), []int64{numbers[0], numbers[0]}, nil))
	require.Equal(t, minibus.Counts{Scheduled: 1}, bus.Counts("sessions"))
	left := bus.Snapshot()["sessions"]
	require.Len(t, left.Messages, 1)
	require.Len(t, left.Sessions, 1)
	require.Equal(t, 1, left.Sessions[0].Messages)
}
