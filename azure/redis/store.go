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
	room   chan struct{} // for commands
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
	return &Store{client: goredis.NewClient(client), opts: opts, room: make(chan struct{}, client.PoolSize)}, nil
}

// quiet keeps the client's own log, which every error is told to as well, off standard error.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(nobody{}) })

type nobody struct{}

func (nobody) Printf(context.Context, string, ...any) {}

// Ready connects, ahead of the first read.
func (s *Store) Ready(ctx context.Context) error {
	_, err := aside(ctx, s, func(ctx context.Context) (string, error) { return s.client.Ping(ctx).Result() })
	return err
}

// Close closes all connections.
func (s *Store) Close() error { return s.client.Close() }

// commandTime bounds a command that nobody waits for any more.
const commandTime = 5 * time.Second

// errBusy: as many commands as there are connections are under way.
var errBusy = errors.New("all connections are busy")

// aside lets a command go on when its caller has no time left: a connection that takes longer to set
// up, over TLS and with a token, than a read can wait is there for the next one.
func aside[T any](ctx context.Context, s *Store, do func(ctx context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	select {
	case s.room <- struct{}{}:
	default:
		return outcome{}.value, errBusy
	}
	ended := make(chan outcome, 1)
	go func() {
		defer func() { <-s.room }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTime)
		defer cancel()
		value, err := do(ctx)
		ended <- outcome{value, told(err)}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-ctx.Done():
		return outcome{}.value, context.Cause(ctx)
	}
}

// told is err without what a server may repeat of a command, which may be a password: what it refuses
// with begins with a word that says why.
func told(err error) error {
	refused, ok := errors.AsType[goredis.Error](err)
	if !ok {
		return err
	}
	code, _, _ := strings.Cut(refused.Error(), " ")
	return &Refusal{Code: code}
}

// Refusal is an answer of the server that is an error.
type Refusal struct {
	// Code is its first word, such as WRONGPASS, NOPERM or OOM.
	Code string
}

// Error names the code.
func (r *Refusal) Error() string { return "the server answers " + r.Code }

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

// Get implements cache.Store. What is there and is no entry is none: a put replaces it.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	fields, err := aside(ctx, s, func(ctx context.Context) ([]any, error) {
		return s.client.HMGet(ctx, s.name(key), fieldHead, fieldData).Result()
	})
	if refused, ok := errors.AsType[*Refusal](err); ok && refused.Code == "WRONGTYPE" {
		return cache.Entry{}, false, nil
	}
	if err != nil {
		return cache.Entry{}, false, fmt.Errorf("get %q: %w", key, err)
	}
	text, ok := fields[0].(string)
	var h head
	if !ok || json.Unmarshal([]byte(text), &h) != nil || h.Version < 1 {
		return cache.Entry{}, false, nil
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
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local rank = redis.call('HGET', KEYS[1], 'rank')
if rank and #rank == #ARGV[1] and rank >= ARGV[1] then return 0 end
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
	_, err = aside(ctx, s, func(ctx context.Context) (any, error) {
		return newer.Run(ctx, s.client, []string{s.name(e.Entity.Key)}, rank(e), described, []byte(e.Entity.Data), s.opts.Life.Milliseconds()).Result()
	})
	if err != nil {
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
