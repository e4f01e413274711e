package app

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

func publisherOptions(cfg config.Config, observer servicebus.Observer) servicebus.PublisherOptions {
	return servicebus.PublisherOptions{OneSessionPerBatch: cfg.Bus.Partitioned, Observer: observer}
}

func dispatcherOptions(cfg config.Config, halts func(context.Context) (outbox.Halts, error), observer outbox.Observer) outbox.DispatcherOptions {
	return outbox.DispatcherOptions{
		Halts:    halts,
		Parallel: cfg.Outbox.SweepParallel, Budget: cfg.Outbox.SweepBudget,
		// What is younger is on the fast path, on this instance or another.
		MinAge:     cfg.Outbox.FastPathBudget,
		SkipParked: cfg.Outbox.SkipParked, Policy: outbox.ParkAfter(cfg.Outbox.Attempts), Observer: observer,
	}
}

func fastPathOptions(cfg config.Config) outbox.FastPathOptions {
	return outbox.FastPathOptions{
		Queue: cfg.Outbox.FastPathQueue, Budget: cfg.Outbox.FastPathBudget, LookEvery: cfg.Outbox.OrphanLook,
	}
}

func writerOptions(cfg config.Config, committed func(key string, events ...outbox.Event), observer outbox.Observer, tracer outbox.Tracer) outbox.WriterOptions {
	return outbox.WriterOptions{
		Source: cfg.Outbox.Source, MaxEventBytes: cfg.Outbox.MaxEventBytes, Committed: committed, Observer: observer, Tracer: tracer,
		CacheBytes: cmp.Or(cfg.CacheBytes, -1), // none
	}
}

func inboxOptions(cfg config.Config, reach func(context.Context) error, observer inbox.Observer, tracer inbox.Tracer) inbox.Options {
	return inbox.Options{
		Policy: cfg.Policy(), Hold: cfg.Inbox.Hold, Wait: cfg.Inbox.Wait, MaxWaiting: cfg.Inbox.Waiting, EarlyWait: cfg.Inbox.EarlyWait,
		Reach: reach, StartAnywhere: cfg.Inbox.Anywhere, MaxDeliveries: cfg.Inbox.Deliveries, CacheBytes: cmp.Or(cfg.CacheBytes, -1), Observer: observer, Tracer: tracer,
	}
}

func healthOptions(cfg config.Config, log *slog.Logger) health.Options {
	return health.Options{
		Limits:  health.Limits{Oldest: cfg.Health.Oldest, Parked: cfg.Health.Parked, DeadLetters: cfg.Health.DeadLetters},
		Version: functions.Version(), Logger: log,
	}
}
