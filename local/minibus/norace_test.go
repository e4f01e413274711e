//go:build !race

package minibus_test

// premiumBytes is the size of the largest message.
const premiumBytes = 100_000_000
