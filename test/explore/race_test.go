//go:build race

package explore

// slower is how many times fewer states are explored under the race detector.
const slower = 10
