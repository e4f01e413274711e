package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tidwall/jsonc"

	"github.com/relaybox/relaybox/local/stack"
)

// Settings are the application settings and where they came from.
type Settings struct {
	Source string
	// Azure: the file is what `az functionapp config appsettings list` printed.
	Azure bool
	// File is what the file says, Values the same with the environment over it.
	File, Values map[string]string

	app, busAdmin, page string // of a relaybox up; else ""
}

// title says whose settings they are, and where somebody can look at it.
func (s Settings) title() string {
	if s.page == "" {
		return "Settings of " + s.Source
	}
	return "Settings of " + s.Source + ", which shows itself at " + s.page
}

// DataFolder is where relaybox up keeps its data, in the home folder.
const DataFolder = ".relaybox"

// read finds the settings that are meant.
func (o Options) read() (Settings, error) {
	if o.Settings != "" {
		return readSettings(o.Settings, o.Environment)
	}
	data := o.Data
	if data == "" {
		data = filepath.Join(o.Home, DataFolder)
	}
	up, err := stack.FindRunning(data)
	switch {
	case err == nil:
		// They are what the app has already: its environment is not ours.
		return Settings{Source: "relaybox up on " + data, File: up.Values, Values: up.Values, app: up.App, busAdmin: up.BusAdmin, page: up.Page}, nil
	case o.Data != "" || !errors.Is(err, stack.ErrNotRunning):
		return Settings{}, err
	}
	file := filepath.Join(o.Home, localSettings)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return readSettings("", o.Environment)
	}
	return readSettings(file, o.Environment)
}

// localSettings is read when no file is named and it is there.
const localSettings = "local.settings.json"

// readSettings reads file, and puts the environment over it as func does; "" is no file.
func readSettings(file string, environment map[string]string) (Settings, error) {
	s := Settings{Source: file, Values: maps.Clone(environment)}
	if s.Values == nil {
		s.Values = map[string]string{}
	}
	if file == "" {
		s.Source = "environment"
		return s, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if s.File, s.Azure, err = parseSettings(text); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	for name, value := range s.File {
		if _, set := environment[name]; !set {
			s.Values[name] = value
		}
	}
	return s, nil
}

// parseSettings reads either form of a settings file. Its errors repeat no value.
func parseSettings(text []byte) (values map[string]string, azure bool, err error) {
	text = bytes.TrimSpace(jsonc.ToJSON(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if !bytes.HasPrefix(text, []byte("[")) {
		var local struct {
			IsEncrypted bool
			Values      map[string]string
		}
		if err := json.Unmarshal(text, &local); err != nil {
			return nil, false, errors.New("not a local.settings.json, whose Values are an object of strings, nor the output of `az functionapp config appsettings list -o json`")
		}
		if local.IsEncrypted {
			return nil, false, errors.New("it is encrypted: run func settings decrypt")
		}
		return local.Values, false, nil
	}
	var list []struct {
		Name  string
		Value *string
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, true, errors.New("not the output of `az functionapp config appsettings list -o json`, a list of names and values")
	}
	values = map[string]string{}
	for _, s := range list {
		if s.Value == nil {
			return nil, true, fmt.Errorf("the value of %s is left out: use the list command, which prints values, as somebody who may read them", s.Name)
		}
		values[s.Name] = *s.Value
	}
	return values, true, nil
}

// overridden are the settings of the file that the environment replaces by something else.
func (s Settings) overridden() []string {
	var names []string
	for name, value := range s.File {
		if s.Values[name] != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
