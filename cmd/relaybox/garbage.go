package main

// floorSize is how much more garbage than the runtime would allow may come together before
// the collector runs. A stand-in holds a few megabytes and allocates as much for every fifty
// events. Twice as much gave the store little more and cost as much memory again.
const floorSize = 12 << 20

// layFloor returns memory that is never touched, so that the operating system gives none for
// it, but that the collector counts as held, as long as it is kept alive; nil if who runs the
// program has said how the collector works. A larger percentage would let a full bus grow
// without measure.
func layFloor(environment map[string]string) []byte {
	if environment["GOGC"] != "" || environment["GOMEMLIMIT"] != "" {
		return nil
	}
	return make([]byte, floorSize)
}
