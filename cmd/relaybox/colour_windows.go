package main

// terminalTakesColours: the old console shows escape sequences as they are unless a program
// switches them on. Windows Terminal, and what sets TERM, takes them.
func terminalTakesColours(environment func(string) string) bool {
	return environment("WT_SESSION") != "" || environment("TERM") != ""
}
