package entity

import "github.com/relaybox/relaybox/outbox"

// SnapshotOf is the event that tells what e is, whatever its kind, for the subscription that it is
// replayed for: the state is null where e is gone. That is no Deleted, because nothing happens to e now.
func SnapshotOf(e outbox.Entity, subscription string) outbox.Draft {
	kind, id := outbox.SplitKey(e.Key)
	return outbox.Draft{Type: eventType(kind, Snapshot), Data: eventData{ID: id, State: e.Data}, ReplayFor: subscription}
}
