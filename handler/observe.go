package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// observe logs what an operator wants to know, and the rest for who debugs. The attribute
// signal is what alerts look for (infra/bicep): it stays when a text changes.
func observe(log *slog.Logger) outbox.Observer {
	return func(s outbox.Signal) {
		switch s := s.(type) {
		case outbox.Published:
			log.Debug("published", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID, "traceparent", s.Event.Trace.Parent)
		case outbox.Settled:
			log.Debug("settled", "key", s.Key, "events", s.Count)
		case outbox.Refused:
			level := slog.LevelWarn
			if s.Verdict.Action == outbox.Pause {
				level = slog.LevelDebug // one line for the pause is enough, not one for every event that waits
			}
			log.Log(context.Background(), level, "event not sent", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID,
				"class", outbox.ClassOf(s.Err).String(), "attempt", s.Attempt, "next", s.Verdict.Action.String(), "error", s.Err)
		case outbox.Parked:
			log.Error("event parked: it can never be sent as it is", "signal", "parked", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "attempts", s.Fault.Attempts, "reason", s.Fault.Reason)
		case outbox.Blocked:
			log.Warn("key waits behind a parked event", "signal", "blocked", "key", s.Key, "seq", s.Seq)
		case outbox.Paused:
			log.Warn("service bus is left alone for a while", "signal", "paused", "for", s.For.String(), "error", s.Err)
		case outbox.Resumed:
			log.Info("service bus takes events again", "after", s.After.String())
		case outbox.Dropped:
			log.Debug("fast path is full; the sweep takes over", "key", s.Key)
		case outbox.DrainFailed:
			log.Warn("drain failed; the sweep repeats it", "key", s.Key, "class", outbox.ClassOf(s.Err).String(), "error", s.Err)
		}
	}
}

func held(log *slog.Logger) func(inbox.Event, error, time.Duration) {
	return func(e inbox.Event, err error, wait time.Duration) {
		log.Warn("event held: the store is away", "signal", "held", "key", e.Key, "seq", e.Seq, "event", e.ID, "wait", wait.String(), "error", err)
	}
}
