package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/outbox"
)

// sources are what health looks at, over the connections that the app has anyway.
func (a *App) sources(entities *cosmos.Outbox, views *cosmos.Inbox, consumers []functions.Consumer) health.Sources {
	s := health.Sources{
		// A point read of the pauses: it takes the app's role and one request unit.
		Store:  func(ctx context.Context) error { _, err := entities.Halts(ctx); return err },
		Broker: a.broker.reach,
		Outbox: func(ctx context.Context) (outbox.Tally, error) {
			return outbox.Count(ctx, entities, time.Now(), config.HealthCount, nil)
		},
		Pauses: func(ctx context.Context) ([]outbox.Halt, error) {
			found, err := entities.Halts(ctx)
			return found.List, err
		},
		Early: func(ctx context.Context) (int, bool, error) {
			return health.EarlyKeys(ctx, views, config.HealthCount)
		},
	}
	look := func(of string) health.Subscription {
		return health.Subscription{Active: a.broker.queue(of, false, messages), DeadLetters: a.broker.queue(of, true, max(messages, a.cfg.Health.DeadLetters+1))}
	}
	if a.broker.main != "" {
		s.Subscription = look(a.broker.main)
	}
	s.Consumers = map[string]health.Subscription{}
	for _, c := range consumers {
		s.Consumers[c.Name] = look(a.cfg.Subscription(c.Subscription))
	}
	return s
}

// messages is how many messages a look counts: a page, because they come with their bodies.
const messages = 100

// asksForHealth says whether a request is one of the function Health's, which is asked above all
// when the app is not ready.
func asksForHealth(r *http.Request) bool {
	path := strings.ToLower(r.URL.Path)
	return path == "/api/health" || strings.HasPrefix(path, "/api/health/")
}
