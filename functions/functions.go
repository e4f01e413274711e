// Package functions is the face of the app: one folder per function, its
// function.json and its Go code side by side. To add one, make its folder and give
// it a line in handlers; a folder without a line does not start.
package functions

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	consumeevent "github.com/relaybox/relaybox/functions/ConsumeEvent"
	outboxdispatcher "github.com/relaybox/relaybox/functions/OutboxDispatcher"
	readprofile "github.com/relaybox/relaybox/functions/ReadProfile"
	writeprofile "github.com/relaybox/relaybox/functions/WriteProfile"
)

//go:embed */function.json
var definitions embed.FS

// Deps is what the functions need of the rest of the app.
type Deps struct {
	Writer  writeprofile.Writer
	Reader  readprofile.Reader
	Sweeper outboxdispatcher.Sweeper
	Inbox   consumeevent.Inbox
	Logger  *slog.Logger
	// Deadline ends an invocation; keep it below functionTimeout. Default 4.5 minutes.
	Deadline time.Duration
	// HTTPDeadline ends an HTTP invocation, whose client does not wait that long;
	// default 30 s.
	HTTPDeadline time.Duration
}

func handlers(d Deps) map[string]http.Handler {
	return map[string]http.Handler{
		"WriteProfile":     writeprofile.New(writeprofile.Deps{Writer: d.Writer, Logger: d.Logger}),
		"ReadProfile":      readprofile.New(readprofile.Deps{Reader: d.Reader, Logger: d.Logger}),
		"OutboxDispatcher": outboxdispatcher.New(d.Sweeper, d.Logger),
		"ConsumeEvent":     consumeevent.New(d.Inbox, d.Logger),
	}
}

// errHTTPDeadline is the cause of an HTTP invocation's end.
var errHTTPDeadline = errors.New("the HTTP invocation took too long")

// New returns the whole app: every function under the path at which the host calls it.
func New(d Deps) (http.Handler, error) {
	if d.Deadline <= 0 {
		d.Deadline = 270 * time.Second
	}
	if d.HTTPDeadline <= 0 {
		d.HTTPDeadline = 30 * time.Second
	}
	triggers, err := Triggers()
	if err != nil {
		return nil, err
	}
	mux := azfunc.NewMux(azfunc.MuxOptions{Logger: d.Logger, Deadline: d.Deadline})
	todo := handlers(d)
	for name, t := range triggers {
		h, ok := todo[name]
		if !ok {
			return nil, fmt.Errorf("functions/%s has a function.json and no line in handlers of functions.go", name)
		}
		delete(todo, name)
		if t.Type == "httpTrigger" {
			mux.HandleRoute(t.Methods, "api/"+t.Route, within(d.HTTPDeadline, h))
		} else {
			mux.Handle(name, h)
		}
	}
	for name := range todo {
		return nil, fmt.Errorf("function %s has no functions/%s/function.json", name, name)
	}
	return mux, nil
}

// Trigger is a function's trigger binding, as its function.json declares it.
type Trigger struct {
	Type    string   `json:"type"`
	Route   string   `json:"route"`
	Methods []string `json:"methods"`
}

// Triggers returns the trigger of every function folder, by function name.
func Triggers() (map[string]Trigger, error) {
	files, err := fs.Glob(definitions, "*/function.json")
	if err != nil {
		return nil, err
	}
	triggers := make(map[string]Trigger, len(files))
	for _, file := range files {
		text, err := definitions.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var def struct{ Bindings []Trigger }
		if err := json.Unmarshal(text, &def); err != nil || len(def.Bindings) == 0 {
			return nil, fmt.Errorf("functions/%s has no bindings: %w", file, err)
		}
		triggers[path.Dir(file)] = def.Bindings[0] // the trigger stands first, by our convention
	}
	return triggers, nil
}

func within(d time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeoutCause(r.Context(), d, errHTTPDeadline)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}
