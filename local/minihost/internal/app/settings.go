package app

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minihost/internal/bus"
)

// Settings are the application settings: the environment of this process,
// overridden by Options.Settings. They become the environment of the handler.
type Settings map[string]string

func newSettings(overrides map[string]string) Settings {
	s := Settings{}
	for _, entry := range os.Environ() {
		if k, v, ok := strings.Cut(entry, "="); ok && k != "" {
			s[k] = v
		}
	}
	maps.Copy(s, overrides)
	return s
}

// Get finds a setting in any case, the exact name first.
func (s Settings) Get(name string) (string, bool) {
	if v, ok := s[name]; ok {
		return v, true
	}
	for k, v := range s {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// resolve replaces every %NAME% by the setting's value.
func (s Settings) resolve(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "%")
		name, after, closed := strings.Cut(rest, "%")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case !closed:
			return "", fmt.Errorf("%q has a single %%; settings are written %%NAME%%", before+"%"+rest)
		}
		v, ok := s.Get(name)
		if !ok {
			return "", fmt.Errorf("setting %s is missing; add it to the application settings (locally: local.settings.json or the environment)", name)
		}
		if v == "" {
			return "", fmt.Errorf("setting %s is empty; give it a value in the application settings (locally: local.settings.json or the environment)", name)
		}
		out.WriteString(v)
		text = after
	}
}

// expand replaces %NAME% where the variable exists and leaves the rest alone.
func (s Settings) expand(text string) string {
	for name := range s {
		text = strings.ReplaceAll(text, "%"+name+"%", s[name])
	}
	return text
}

// disabled applies AzureWebJobs.<Name>.Disabled and the form that suits Linux
// shells. function.json's own "disabled" does nothing for this kind of app.
func (s Settings) disabled(function string) bool {
	for _, name := range []string{"AzureWebJobs." + function + ".Disabled", "AzureWebJobs_" + function + "_Disabled"} {
		if v, ok := s.Get(name); ok && (strings.EqualFold(v, "true") || v == "1") {
			return true
		}
	}
	return false
}

// connection looks NAME up as the real host does: AzureWebJobsNAME first, then
// NAME, then the section NAME__fullyQualifiedNamespace.
func (s Settings) connection(name string) (bus.Connection, error) {
	for _, key := range []string{"AzureWebJobs" + name, name} {
		if v, ok := s.Get(key); ok && v != "" {
			return bus.Connection{String: v}, nil
		}
	}
	for _, key := range []string{"AzureWebJobs" + name, name} {
		if v, ok := s.Get(key + "__fullyQualifiedNamespace"); ok && v != "" {
			id, _ := s.Get(key + "__clientId")
			return bus.Connection{Namespace: v, ClientID: id}, nil
		}
	}
	return bus.Connection{}, fmt.Errorf("connection %q: neither the setting %s (a connection string) nor %s__fullyQualifiedNamespace (an identity connection) exists; add one", name, name, name)
}

// hostOverrides applies AzureFunctionsJobHost__a__b__c to host.json.
func (s Settings) hostOverrides(t tree) {
	const prefix = "AzureFunctionsJobHost__"
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if len(k) > len(prefix) && strings.EqualFold(k[:len(prefix)], prefix) {
			t.set(strings.Split(k[len(prefix):], "__"), s[k])
		}
	}
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
