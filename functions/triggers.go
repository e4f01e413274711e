package functions

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed */function.json
var definitions embed.FS

// Trigger is a function's trigger binding, as its function.json declares it.
type Trigger struct {
	Type    string   `json:"type"`
	Route   string   `json:"route"`
	Methods []string `json:"methods"`
	// Subscription is that of a Service Bus trigger, as it stands there: %SETTING%. Rule is what it
	// has to let through; it stands beside the bindings, where hosts do not look.
	Subscription string `json:"subscriptionName"`
	Rule         string `json:"-"`
}

const (
	httpTrigger = "httpTrigger"
	busTrigger  = "serviceBusTrigger"
)

// triggerTypes are what a function of the app can be called by, spelled as here.
var triggerTypes = []string{httpTrigger, "timerTrigger", busTrigger}

// Triggers returns the trigger of every function folder, by function name. Its error names
// every function.json that does not have one as its first binding, our convention.
func Triggers() (map[string]Trigger, error) { return triggersIn(definitions) }

func triggersIn(folders fs.FS) (map[string]Trigger, error) {
	files, err := fs.Glob(folders, "*/function.json")
	if err != nil {
		return nil, err
	}
	triggers := make(map[string]Trigger, len(files))
	var faults []error
	for _, file := range files {
		text, err := fs.ReadFile(folders, file)
		if err != nil {
			return nil, err
		}
		if triggers[path.Dir(file)], err = readTrigger(text); err != nil {
			faults = append(faults, fmt.Errorf("functions/%s: %w", file, err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return triggers, nil
}

// readTrigger returns the trigger of a function.json.
func readTrigger(text []byte) (Trigger, error) {
	var def struct {
		Bindings []Trigger
		Rule     string
	}
	if err := json.Unmarshal(text, &def); err != nil {
		return Trigger{}, err
	}
	var types, found []string
	at := 0 // the place of the first trigger, from 1
	for i, b := range def.Bindings {
		types = append(types, fmt.Sprintf("%q", b.Type))
		if strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			if found = append(found, b.Type); at == 0 {
				at = i + 1
			}
		}
	}
	switch {
	case len(types) == 0:
		return Trigger{}, errors.New("it has no bindings: add the trigger as the first one")
	case at == 0:
		return Trigger{}, fmt.Errorf("none of its bindings is a trigger, they are of type %s: add one of %s as the first one", strings.Join(types, ", "), strings.Join(triggerTypes, ", "))
	case at > 1:
		return Trigger{}, fmt.Errorf("the first binding is of type %s, and the trigger %s is binding %d: move it to the first place", types[0], found[0], at)
	case len(found) > 1:
		return Trigger{}, fmt.Errorf("it has more than one trigger, %s: give each a function of its own", strings.Join(found, ", "))
	}
	def.Bindings[0].Rule = def.Rule
	return def.Bindings[0], nil
}
