//go:build race

package minibus_test

// premiumBytes is the size of the largest message: with the race detector one of 100 MB takes a minute.
const premiumBytes = 10_000_000
