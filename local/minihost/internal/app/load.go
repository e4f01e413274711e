package app

import (
	"fmt"
	"path/filepath"
	"strings"
)

// App is an assembled app as read: what the host runs. Read-only once loaded.
type App struct {
	Config    Config
	Settings  Settings
	Functions []*Definition // by name, faulty and disabled ones too
}

// Load reads an app folder. overrides are added to the environment of this
// process. What keeps the host from starting is returned together
// (ErrHostConfig); a fault of one function is in its Errors, and the others load.
func Load(path string, overrides map[string]string) (*App, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("app folder %q: %w", path, err)
	}
	if err := checkFolder(root); err != nil {
		return nil, err
	}
	env := newSettings(overrides)
	config, faults := loadConfig(root, env)
	functions, err := discover(config, env)
	if err != nil {
		return nil, fmt.Errorf("app folder %q: %w", root, err)
	}
	usable := 0
	for _, f := range functions {
		if len(f.Errors) == 0 {
			usable++
		}
	}
	if usable == 0 {
		for _, f := range functions {
			faults = append(faults, f.Name+": "+strings.Join(f.Errors, "; "))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w of %s:\n  %s", ErrHostConfig, root, strings.Join(faults, "\n  "))
	}
	return &App{config, env, functions}, nil
}

// checkFolder refuses what cannot be an assembled app, and says what to do.
func checkFolder(root string) error {
	const remedy = "run `relaybox assemble` and start the host on the folder it writes, dist/app"
	has := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		return err == nil && len(found) > 0
	}
	switch {
	case !isDir(root):
		return fmt.Errorf("%w: there is no folder %s; %s", ErrNotAssembled, root, remedy)
	case has("*/function.json"):
		if has("host.json") {
			return nil
		}
		return fmt.Errorf("%w: %s has functions and no host.json; %s", ErrNotAssembled, root, remedy)
	case has("functions/*/function.json"), has("go.mod"):
		return fmt.Errorf("%w: %s is a source tree; %s", ErrNotAssembled, root, remedy)
	default:
		return fmt.Errorf("%w: %s has no function: no direct sub-folder holds a function.json; %s", ErrNotAssembled, root, remedy)
	}
}
