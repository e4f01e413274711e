package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/stack"
)

// errNotReady: the app cannot do its work as it is set up. Each fault has its remedy.
var errNotReady = errors.New("the app cannot run as it is set up")

// preflight finds what would keep an app from its work, before anything runs. A Functions host
// goes on without a function that does not load, and a platform starts a handler that ends at
// once for ever; in front of a person neither helps.
func preflight(cfg stack.Config) error {
	settings := cfg.Planned()
	i, err := minihost.Inspect(cfg.App, settings)
	if err != nil {
		return err
	}
	faults := i.Faults
	for _, f := range i.Functions {
		if f.Disabled {
			continue
		}
		for _, fault := range f.Errors {
			faults = append(faults, fmt.Sprintf("%s does not load: %s; correct it, or turn the function off with the setting AzureWebJobs.%s.Disabled=true", f.Name, fault, f.Name))
		}
	}
	if i.Host != nil && ours(i.Host.Executable) {
		_, err := config.Load(settings)
		for _, fault := range config.Faults(err) {
			faults = append(faults, fault.Error())
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w:\n  %s", errNotReady, strings.Join(faults, "\n  "))
	}
	return nil
}

// ours says whether an executable is the handler of this module, whose settings are known.
func ours(executable string) bool {
	info, err := buildinfo.ReadFile(executable)
	return err == nil && info.Path == path.Dir(reflect.TypeFor[config.Config]().PkgPath())
}
