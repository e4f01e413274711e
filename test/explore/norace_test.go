//go:build !race

package explore

const slower = 1
