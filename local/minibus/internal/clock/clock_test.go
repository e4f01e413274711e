package clock

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silent is an owner whose alarm must not ring.
type silent struct{ t *testing.T }

func (s silent) Ring(int64) { s.t.Error("it is not due") }

// An alarm further away than a time.Duration reaches, which clients may ask for, is waited for like others.
func TestFarAlarms(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli(), time.Now().AddDate(300, 0, 0).UnixMilli(), math.MaxInt64} {
		c := New()
		al := NewAlarm(silent{t})
		c.Set(&al, at)
		rang, sleep := c.ringDue(c.Now())
		require.False(t, rang)
		require.Greater(t, sleep, time.Minute, "at %d", at)
	}
}
