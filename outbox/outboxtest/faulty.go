package outboxtest

import (
	"context"

	"github.com/relaybox/relaybox/outbox"
)

// Storage is both ports of one store.
type Storage interface {
	outbox.Store
	outbox.Queue
}

// FaultyStore breaks a store on purpose. Before runs ahead of an operation and may
// fail it with nothing applied; After runs behind it and may turn its success into
// an error: applied, but the answer was lost. Operations are named load, receipt,
// barrier, commit, place, find, parked, pending, settle and park. Either may block, to hold an operation at a point.
type FaultyStore struct {
	Storage
	Before, After func(ctx context.Context, op, key string) error
}

func (f *FaultyStore) around(ctx context.Context, op, key string, do func() error) error {
	if f.Before != nil {
		if err := f.Before(ctx, op, key); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if f.After != nil {
		return f.After(ctx, op, key)
	}
	return nil
}

// Load implements outbox.Store.
func (f *FaultyStore) Load(ctx context.Context, key string) (e outbox.Entity, err error) {
	err = f.around(ctx, "load", key, func() (err error) {
		e, err = f.Storage.Load(ctx, key)
		return err
	})
	return e, err
}

// Receipt implements outbox.Store.
func (f *FaultyStore) Receipt(ctx context.Context, key, id string) (r *outbox.Receipt, err error) {
	err = f.around(ctx, "receipt", key, func() (err error) {
		r, err = f.Storage.Receipt(ctx, key, id)
		return err
	})
	return r, err
}

// Barrier implements outbox.Store.
func (f *FaultyStore) Barrier(ctx context.Context, key string) error {
	return f.around(ctx, "barrier", key, func() error { return f.Storage.Barrier(ctx, key) })
}

// Commit implements outbox.Store.
func (f *FaultyStore) Commit(ctx context.Context, c outbox.Commit) (made outbox.Revisions, err error) {
	err = f.around(ctx, "commit", c.Key, func() (err error) {
		made, err = f.Storage.Commit(ctx, c)
		return err
	})
	return made, err
}

// Place implements outbox.Store.
func (f *FaultyStore) Place(ctx context.Context, key string) (p outbox.Place, err error) {
	err = f.around(ctx, "place", key, func() (err error) {
		p, err = f.Storage.Place(ctx, key)
		return err
	})
	return p, err
}

// Find implements outbox.Queue.
func (f *FaultyStore) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	return f.around(ctx, "find", "", func() error { return f.Storage.Find(ctx, visit) })
}

// Parked implements outbox.Queue.
func (f *FaultyStore) Parked(ctx context.Context, visit func([]outbox.Head) error) error {
	return f.around(ctx, "parked", "", func() error { return f.Storage.Parked(ctx, visit) })
}

// Pending implements outbox.Queue.
func (f *FaultyStore) Pending(ctx context.Context, key string, after int64, limit int) (events []outbox.Event, err error) {
	err = f.around(ctx, "pending", key, func() (err error) {
		events, err = f.Storage.Pending(ctx, key, after, limit)
		return err
	})
	return events, err
}

// Settle implements outbox.Queue.
func (f *FaultyStore) Settle(ctx context.Context, key string, events []outbox.Event) error {
	return f.around(ctx, "settle", key, func() error { return f.Storage.Settle(ctx, key, events) })
}

// Park implements outbox.Queue.
func (f *FaultyStore) Park(ctx context.Context, e outbox.Event, fault outbox.Fault) error {
	return f.around(ctx, "park", e.Key, func() error { return f.Storage.Park(ctx, e, fault) })
}
