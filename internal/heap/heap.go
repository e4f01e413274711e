// Package heap gives small heaps room for garbage.
package heap

// Floor returns memory that is never touched, so that the operating system gives none for it,
// but that the collector counts as held, as long as it is kept alive; nil if who runs the
// program has said by GOGC or GOMEMLIMIT how the collector works.
//
// The runtime lets a heap double: one that holds few megabytes and allocates a lot is collected
// all the time. A larger percentage would do the same for it, and let a large one grow without
// measure.
func Floor(bytes int, environment map[string]string) []byte {
	if environment["GOGC"] != "" || environment["GOMEMLIMIT"] != "" {
		return nil
	}
	return make([]byte, bytes)
}
