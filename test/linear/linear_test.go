package linear

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

type heard struct {
	testing.TB
	failed string
}

func (h *heard) Errorf(format string, args ...any) { h.failed = fmt.Sprintf(format, args...) }
func (h *heard) FailNow()                          {}
func (h *heard) Helper()                           {}

// TestCheck: sorting passes, and comparing each with each does not.
func TestCheck(t *testing.T) {
	t.Parallel()
	list := func(size int) []int {
		l := make([]int, size)
		for i := range l {
			l[i] = i * 7919 % size
		}
		return l
	}
	Check(t, "sorting", 20000, func(size int) func() {
		l := list(size)
		return func() { slices.Sort(slices.Clone(l)) }
	})
	h := &heard{TB: t}
	equal := 0
	Check(h, "each with each", 2000, func(size int) func() {
		l := list(size)
		return func() {
			for _, one := range l {
				for _, other := range l {
					if one == other {
						equal++
					}
				}
			}
		}
	})
	require.Contains(t, h.failed, "each with each")
	require.Positive(t, equal)
}
