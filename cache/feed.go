package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

// FeedOptions configures a Feed; the zero value works.
type FeedOptions struct {
	// Life is how long the store keeps an entry; default 5 minutes.
	Life time.Duration
	// Hold is how long an entity waits for a store that does not work; default 4 minutes.
	Hold time.Duration
	// Room is how many puts are under way at a time; default 4. Reads come first.
	Room int
}

// Feed puts into a Store what somebody hears of entities, such as a consumer of their events.
type Feed struct {
	store Store
	opts  FeedOptions
	room  chan struct{}
}

// NewFeed returns a Feed of store.
func NewFeed(store Store, opts FeedOptions) *Feed {
	if opts.Life <= 0 {
		opts.Life = 5 * time.Minute
	}
	if opts.Hold <= 0 {
		opts.Hold = 4 * time.Minute
	}
	if opts.Room <= 0 {
		opts.Room = 4
	}
	return &Feed{store: store, opts: opts, room: make(chan struct{}, opts.Room)}
}

const (
	// putTime bounds one put.
	putTime = 5 * time.Second
	// late is how long after a change a read that has begun before it may still put what it has seen.
	late = time.Minute
)

// feedPause is between the tries of a put.
var feedPause = pace.Backoff{First: 50 * time.Millisecond, Max: 5 * time.Second}

// Hear keeps e, which was so at that time, unless what is kept is newer. While the store does not work it
// tries again, until Hold has passed or what it would replace has expired: then there is nothing to do,
// and no error. An entity without a version is of no use either.
func (f *Feed) Hear(ctx context.Context, e outbox.Entity, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, f.opts.Hold)
	defer cancel()
	for tries := 1; ; tries++ {
		if e.Version == 0 || time.Since(at) > f.opts.Life+late {
			return nil
		}
		err := f.put(ctx, Entry{Entity: readable(e), At: at})
		if err == nil {
			return nil
		}
		if pace.Sleep(ctx, feedPause.Wait(tries, 0)) != nil {
			return fmt.Errorf("keep version %d: %w", e.Version, err)
		}
	}
}

func (f *Feed) put(ctx context.Context, e Entry) error {
	select {
	case f.room <- struct{}{}:
		defer func() { <-f.room }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	return f.store.Put(ctx, e)
}
