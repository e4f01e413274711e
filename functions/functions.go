// Package functions is the face of the app: the kinds of entity that it knows, and one
// folder per function, its function.json and its Go code side by side. A kind needs its
// name in kinds, a consumer its name in consumers, a function its folder and a line in
// handlers; an app with one of these missing does not start, and says which.
package functions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/mailing"
	"github.com/relaybox/relaybox/examples/orders"
	consumeevent "github.com/relaybox/relaybox/functions/ConsumeEvent"
	healthfunction "github.com/relaybox/relaybox/functions/Health"
	inboxsweeper "github.com/relaybox/relaybox/functions/InboxSweeper"
	mailinglist "github.com/relaybox/relaybox/functions/MailingList"
	openapifunction "github.com/relaybox/relaybox/functions/OpenAPI"
	ordersfunction "github.com/relaybox/relaybox/functions/Orders"
	outboxdispatcher "github.com/relaybox/relaybox/functions/OutboxDispatcher"
	readprofile "github.com/relaybox/relaybox/functions/ReadProfile"
	refreshcache "github.com/relaybox/relaybox/functions/RefreshCache"
	writeprofile "github.com/relaybox/relaybox/functions/WriteProfile"
	"github.com/relaybox/relaybox/profile"
)

// kinds are the kinds of entity that the app stores, sends events of and consumes.
var kinds = []entity.Definition{
	profile.Kind,
	orders.Kind,
}

// consumers are the consumers of the app's events beside ConsumeEvent, each with a subscription
// and a function of its own.
var consumers = []entity.Consumer{
	mailing.List,
}

// handlers are the functions by the name of their folder.
func handlers(d Deps, e entity.Deps) map[string]function {
	return map[string]function{
		"WriteProfile":     made(writeprofile.New(e)),
		"ReadProfile":      made(readprofile.New(e)),
		"Orders":           made(ordersfunction.New(e)),
		"OpenAPI":          made(openapifunction.New(OpenAPI, d.Logger), nil),
		"Health":           made(healthfunction.New(d.Health, d.Logger), nil),
		"OutboxDispatcher": made(outboxdispatcher.New(d.Sweeper, d.Logger), nil),
		"ConsumeEvent":     made(consumeevent.New(e.Kinds, d.Inbox, d.Logger), nil),
		"InboxSweeper":     made(inboxsweeper.New(d.Logger, d.sweepers()...), nil),
		"MailingList":      made(mailinglist.New(d.Consumers[mailing.List.Name], d.Logger)),
		"RefreshCache":     made(refreshcache.New(e.Kinds, d.Feed, d.Logger), nil),
	}
}

// function is a handler, or why there is none.
type function struct {
	handler http.Handler
	err     error
}

func made(h http.Handler, err error) function { return function{h, err} }

// Kinds are the app's kinds, checked.
func Kinds() (*entity.Kinds, error) { return Edition{}.AllKinds() }

// Edition is what another version of the app has in place of what this one has, for tests
// that run two side by side. The zero value is this version.
type Edition struct {
	// Kinds are all its kinds.
	Kinds []entity.Definition
	// Functions are those that are others in it, by the name of their folder.
	Functions map[string]func(entity.Deps) (http.Handler, error)
}

// AllKinds are the edition's kinds, checked.
func (e Edition) AllKinds() (*entity.Kinds, error) {
	if e.Kinds == nil {
		e.Kinds = kinds
	}
	all, err := entity.NewKinds(e.Kinds...)
	if err != nil {
		return nil, fmt.Errorf("functions/functions.go: %w", err)
	}
	return all, nil
}

// Inbox is what the functions need of an inbox.Inbox.
type Inbox interface {
	entity.Inbox
	inboxsweeper.Sweeper
}

// Deps is what the functions need of the rest of the app.
type Deps struct {
	Writer  entity.Writer
	Reader  entity.Reader
	Cache   entity.Cache  // may be nil
	Feed    entity.Hearer // of Cache; may be nil
	Sweeper outboxdispatcher.Sweeper
	Inbox   Inbox
	// Consumers are the inboxes of the app's Consumers that are in use, by name.
	Consumers map[string]Inbox
	Health    healthfunction.Checker
	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
	// Deadline ends an invocation; keep it below functionTimeout. Default 28 minutes.
	Deadline time.Duration
	// HTTPDeadline ends an HTTP invocation, whose client does not wait that long;
	// default 30 s.
	HTTPDeadline time.Duration
	// Follow may be nil.
	Follow azfunc.Follow
	// Edition is this one by default.
	Edition Edition
}

// errHTTPDeadline is the cause of an HTTP invocation's end.
var errHTTPDeadline = errors.New("the HTTP invocation took too long")

// New returns the whole app: every function under the path at which the host calls it. Its
// error names everything that keeps the app from serving.
func New(d Deps) (http.Handler, error) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Deadline <= 0 {
		d.Deadline = 28 * time.Minute
	}
	if d.HTTPDeadline <= 0 {
		d.HTTPDeadline = 30 * time.Second
	}
	known, err := d.Edition.AllKinds()
	if err != nil {
		return nil, err
	}
	triggers, err := Triggers()
	if err != nil {
		return nil, err
	}
	parts := entity.Deps{Writer: d.Writer, Reader: d.Reader, Cache: d.Cache, Kinds: known, Logger: d.Logger}
	todo := handlers(d, parts)
	for name, other := range d.Edition.Functions {
		todo[name] = made(other(parts))
	}
	if err := fits(todo, triggers, consumers...); err != nil {
		return nil, err
	}
	mux := azfunc.NewMux(azfunc.MuxOptions{Logger: d.Logger, Deadline: d.Deadline, Follow: d.Follow})
	for name, t := range triggers {
		if t.Type == httpTrigger {
			mux.HandleRoute(t.Methods, "api/"+t.Route, within(d.HTTPDeadline, todo[name].handler))
		} else {
			mux.Handle(name, todo[name].handler)
		}
	}
	return mux, nil
}

func within(d time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeoutCause(r.Context(), d, errHTTPDeadline)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}
