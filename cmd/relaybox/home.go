package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/stack"
)

// home is the folder that files without a path of their own are looked for in: the root of the
// source tree, from wherever in it the program is called, or else the working folder. So a
// folder below does not get data and settings of its own.
func home() string {
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	return homeOf(here)
}

// homeOf is home as seen from a folder.
func homeOf(here string) string {
	source, err := stack.FindSource(here)
	if err != nil {
		return "."
	}
	if short, err := filepath.Rel(here, source); err == nil {
		return short
	}
	return source
}

// leaves says which settings up may write down for others to find: those of the settings
// files, and what the handler and the host read. The rest of the environment stays where it is.
func leaves(ofFiles map[string]string) func(string) bool {
	read := config.Names()
	return func(name string) bool {
		_, ofFile := ofFiles[name]
		return ofFile || slices.Contains(read, name) || strings.HasSuffix(name, "_SUBSCRIPTION") || strings.HasPrefix(name, "AzureWebJobs") || strings.HasPrefix(name, "AzureFunctionsJobHost")
	}
}
