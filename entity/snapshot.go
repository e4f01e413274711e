package entity

import "github.com/relaybox/relaybox/outbox"

// SnapshotOf is the event that tells what e is, whatever its kind, for the subscription that it is
// replayed for. There is none of an entity that is gone.
func SnapshotOf(e outbox.Entity, subscription string) outbox.Draft {
	kind, id := outbox.SplitKey(e.Key)
	return outbox.Draft{Type: eventType(kind, Snapshot), Data: eventData{ID: id, State: e.Data}, ReplayFor: subscription}
}
