//go:build !windows

package main

func terminalTakesColours(environment func(string) string) bool { return environment("TERM") != "" }
