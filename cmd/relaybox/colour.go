package main

import (
	"io"
	"os"
)

// coloured says whether w takes colours: a terminal that knows them, unless NO_COLOR is set
// (https://no-color.org).
func coloured(w io.Writer, environment func(string) string) bool {
	if environment("NO_COLOR") != "" || environment("TERM") == "dumb" {
		return false
	}
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && terminalTakesColours(environment)
}
