package app

import (
	"context"
	"log/slog"
	"slices"

	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// observe logs what an operator wants to know, and the rest for who debugs. The attribute
// signal is what alerts look for (infra/bicep): it stays when a text changes.
func observe(log *slog.Logger) outbox.Observer {
	return func(s outbox.Signal) {
		switch s := s.(type) {
		case outbox.Moved:
			log.Warn("the container was restored or copied: the entity's events go on under a new incarnation", "signal", "incarnation",
				"key", s.Key, "incarnation", s.To.ID, "left", s.From.ID, "first", s.To.First)
		case outbox.Published:
			if log.Enabled(context.Background(), slog.LevelDebug) { // each event comes by here
				log.Debug("published", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID, telemetry.Trace(s.Event.Trace.Parent))
			}
		case outbox.Settled:
			log.Debug("settled", "key", s.Key, "events", s.Count)
		case outbox.Refused:
			level := slog.LevelWarn
			if s.Verdict.Action == outbox.Pause {
				level = slog.LevelDebug // one line for the pause is enough, not one for every event that waits
			}
			log.Log(context.Background(), level, "event not sent", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID,
				"class", outbox.ClassOf(s.Err).String(), "attempt", s.Attempt, "next", s.Verdict.Action.String(), "error", s.Err,
				telemetry.Trace(s.Event.Trace.Parent))
		case outbox.Parked:
			log.Error("event parked: the broker refuses it, and takes others", "signal", "parked", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "attempts", s.Fault.Attempts, "next", s.Fault.Next, "reason", s.Fault.Reason,
				telemetry.Trace(s.Event.Trace.Parent))
		case outbox.Blocked:
			log.Warn("key waits behind a parked event", "signal", "blocked", "key", s.Key, "seq", s.Seq)
		case outbox.Paused:
			log.Warn("the broker is left alone for a while", "signal", "paused", "for", s.For.String(), "error", s.Err)
		case outbox.Resumed:
			log.Info("the broker takes events again", "after", s.After.String())
		case outbox.Dropped:
			log.Debug("fast path is full; the sweep takes over", "key", s.Key)
		case outbox.LookFailed:
			log.Warn("the store cannot be searched for events of others", "class", outbox.ClassOf(s.Err).String(), "error", s.Err)
		case outbox.DrainFailed:
			log.Warn("drain failed; the sweep repeats it", "key", s.Key, "class", outbox.ClassOf(s.Err).String(), "error", s.Err)
		}
	}
}

func observeInbox(log *slog.Logger) inbox.Observer {
	return func(s inbox.Signal) {
		switch s := s.(type) {
		case inbox.Held:
			level := slog.LevelWarn
			if s.Try&(s.Try-1) != 0 {
				level = slog.LevelDebug // each of a day's outage would be a line every few seconds, for every event that waits
			}
			log.Log(context.Background(), level, "event held: the store is away, or others keep changing its model", "signal", "held", "try", s.Try, "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "wait", s.Wait.String(), "error", s.Err, telemetry.Trace(s.Event.TraceParent))
		case inbox.Followed:
			log.Warn("the writer's container was made anew or restored: the read model follows, and effects that were under way may be missing",
				"signal", "incarnation", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID,
				"incarnation", s.Event.Incarnation.ID, "left", s.From.ID, "leftAt", s.LastSeq, "lost", s.Lost, telemetry.Trace(s.Event.TraceParent))
		case inbox.Late:
			log.Warn("event of a container that is no more: it changed nothing", "signal", "superseded", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "incarnation", s.Event.Incarnation.ID, "now", s.Now.ID, telemetry.Trace(s.Event.TraceParent))
		case inbox.TooOld:
			log.Warn("event came after its key had gone on without it: it changed nothing", "signal", "too-old", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "lastSeq", s.LastSeq, telemetry.Trace(s.Event.TraceParent))
		case inbox.Waits:
			log.Info("event came before its predecessor: it is stored until that comes", "signal", "early", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "for", s.For, telemetry.Trace(s.Event.TraceParent))
		case inbox.Blocked:
			log.Error("events wait for one that does not come, or cannot be applied", "signal", "gap-blocked", "key", s.Key, "for", s.For, "waiting", s.Waiting, "since", s.Since, "error", s.Err)
		case inbox.GaveUp:
			log.Error("event given up: it cannot be applied, and its key has gone on without it", "signal", "gave-up", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, "error", s.Err, telemetry.Trace(s.Event.TraceParent))
		case inbox.Gone:
			log.Error("event given up on its last delivery: those behind it do not wait for it", "signal", "gave-up", "key", s.Event.Key, "seq", s.Event.Seq,
				"event", s.Event.ID, telemetry.Trace(s.Event.TraceParent))
		case inbox.Skipped:
			log.Warn("an operator has skipped the event: its key goes on without it", "signal", "skipped", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID,
				telemetry.Trace(s.Event.TraceParent))
		case inbox.Jumped:
			log.Warn("event applied over a gap", "signal", "gap", "key", s.Event.Key, "seq", s.Event.Seq, "event", s.Event.ID, "missing", s.Missing,
				telemetry.Trace(s.Event.TraceParent))
		}
	}
}

// told is an observer for each of those that are not nil.
func told(observers ...outbox.Observer) outbox.Observer {
	observers = slices.DeleteFunc(observers, func(o outbox.Observer) bool { return o == nil })
	if len(observers) == 1 {
		return observers[0]
	}
	return func(s outbox.Signal) {
		for _, o := range observers {
			o(s)
		}
	}
}

// toldInbox is told for an inbox.
func toldInbox(observers ...inbox.Observer) inbox.Observer {
	observers = slices.DeleteFunc(observers, func(o inbox.Observer) bool { return o == nil })
	if len(observers) == 1 {
		return observers[0]
	}
	return func(s inbox.Signal) {
		for _, o := range observers {
			o(s)
		}
	}
}
