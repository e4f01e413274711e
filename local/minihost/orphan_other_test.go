//go:build !linux

package minihost

func runHostProcess() {}
