//go:build !simlocks

package sim

const locksCount = false
