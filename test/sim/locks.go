//go:build simlocks

package sim

import (
	"unsafe"
)

// The runtime's table of what a bubble's clock may move over, by reason of the wait, and
// the names of the reasons.
//
//go:linkname isIdleInSynctest runtime.isIdleInSynctest
var isIdleInSynctest [1]bool

//go:linkname waitReasonStrings runtime.waitReasonStrings
var waitReasonStrings [1]string

const locksCount = true

func init() {
	missing := 3
	for n := range 64 {
		name := *(*string)(unsafe.Add(unsafe.Pointer(&waitReasonStrings), uintptr(n)*unsafe.Sizeof("")))
		switch name {
		case "sync.Mutex.Lock", "sync.RWMutex.RLock", "sync.RWMutex.Lock":
			*(*bool)(unsafe.Add(unsafe.Pointer(&isIdleInSynctest), n)) = true
			missing--
		}
		if missing == 0 {
			return
		}
	}
	panic("this version of Go does not know the three waits for locks by the names that the simulation knows")
}
