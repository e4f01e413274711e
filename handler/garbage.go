package main

// floorSize is how much more garbage than the runtime would allow may come together before
// the collector runs. The runtime lets a heap double: ours holds few megabytes, so under load
// it was collected all the time, for an eighth of the processor time. 16 MB give back nearly
// all of that; twice as much gave no more.
const floorSize = 16 << 20

// floor is never touched, so the operating system gives no memory for it; but the collector
// counts it as held. A larger percentage would do the same for a small heap, and let a large
// one grow without measure.
var floor []byte

// layFloor lays it, unless who runs the app has said how the collector works.
func layFloor(environment map[string]string) {
	if environment["GOGC"] == "" && environment["GOMEMLIMIT"] == "" {
		floor = make([]byte, floorSize)
	}
}
