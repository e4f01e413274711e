package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	goredis "github.com/redis/go-redis/v9"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/outbox"
)

// Options configures a Store.
type Options struct {
	// Prefix stands before every key: apps that share a server have one each.
	Prefix string
	// Life is how long an entry is kept that is not replaced; default 5 minutes.
	Life time.Duration
	// Credential replaces the one that the connection names.
	Credential azcore.TokenCredential
}

// Store is a cache.Store in a Redis.
type Store struct {
	client *goredis.Client
	opts   Options
}

// Open returns the store. It does no I/O. Its error is one of the connection's settings.
func Open(c Connection, opts Options) (*Store, error) {
	if opts.Life <= 0 {
		opts.Life = 5 * time.Minute
	}
	quiet()
	client, err := c.options(opts.Credential)
	if err != nil {
		return nil, &access.SettingError{Err: err}
	}
	return &Store{client: goredis.NewClient(client), opts: opts}, nil
}

// quiet keeps the client's own log, which every error is told to as well, off standard error.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(nobody{}) })

type nobody struct{}

func (nobody) Printf(context.Context, string, ...any) {}

// Ready connects, ahead of the first read.
func (s *Store) Ready(ctx context.Context) error {
	return s.client.Ping(ctx).Err()
}

// Close closes all connections.
func (s *Store) Close() error { return s.client.Close() }

// An entry is a hash of these, and of its rank among the key's entries: what describes the entity, and its
// data as it is.
const (
	fieldHead = "head"
	fieldData = "data"
)

// head is what is stored beside the data.
type head struct {
	Version     int64              `json:"version"`
	LastSeq     int64              `json:"lastSeq"`
	Incarnation outbox.Incarnation `json:"incarnation"`
	Deleted     bool               `json:"deleted,omitempty"`
	UpdatedAt   time.Time          `json:"updatedAt"`
	At          time.Time          `json:"at"`
}

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	fields, err := s.client.HMGet(ctx, s.name(key), fieldHead, fieldData).Result()
	if err != nil {
		return cache.Entry{}, false, fmt.Errorf("get %q: %w", key, err)
	}
	text, ok := fields[0].(string)
	if !ok {
		return cache.Entry{}, false, nil
	}
	var h head
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return cache.Entry{}, false, fmt.Errorf("get %q: what is stored is no entry: %w", key, err)
	}
	e := cache.Entry{At: h.At, Entity: outbox.Entity{
		Key: key, Version: h.Version, LastSeq: h.LastSeq, Incarnation: h.Incarnation, Deleted: h.Deleted, UpdatedAt: h.UpdatedAt,
	}}
	if data, ok := fields[1].(string); ok && data != "" {
		e.Entity.Data = json.RawMessage(data)
	}
	return e, true, nil
}

// newer replaces an entry by one that comes behind it: KEYS the entry; ARGV its rank, head, data, and
// life in milliseconds.
var newer = goredis.NewScript(`
local rank = redis.call('HGET', KEYS[1], 'rank')
if rank and rank >= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'rank', ARGV[1], 'head', ARGV[2], 'data', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)

// Put implements cache.Store.
func (s *Store) Put(ctx context.Context, e cache.Entry) error {
	described, err := json.Marshal(head{
		Version: e.Entity.Version, LastSeq: e.Entity.LastSeq, Incarnation: e.Entity.Incarnation, Deleted: e.Entity.Deleted,
		UpdatedAt: e.Entity.UpdatedAt, At: e.At,
	})
	if err != nil {
		return fmt.Errorf("put %q: %w", e.Entity.Key, err)
	}
	err = newer.Run(ctx, s.client, []string{s.name(e.Entity.Key)}, rank(e), described, []byte(e.Entity.Data), s.opts.Life.Milliseconds()).Err()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("put %q: %w", e.Entity.Key, err)
	}
	return nil
}

func (s *Store) name(key string) string { return s.opts.Prefix + key }

// rank is cache.Compare as a text: of two entries the later has the greater one, in any collation,
// because all have the same length and are made of digits but for the dots.
func rank(e cache.Entry) string {
	const stamp = "20060102150405.000000000"
	in := e.Entity.Incarnation
	return strings.Join([]string{
		in.Since.UTC().Format(stamp), in.Drawn.UTC().Format(stamp), fmt.Sprintf("%019d", e.Entity.Version), e.At.UTC().Format(stamp),
	}, ".")
}
