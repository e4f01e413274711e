package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
)

// cached is the cache of reads; without one, all of it is nil.
type cached struct {
	reads entity.Cache
	feed  entity.Hearer
	// shared is the part that is elsewhere.
	shared *redis.Store
}

// openCache makes the cache of reads without any I/O.
func openCache(cfg config.Config, log *slog.Logger, source cache.Source, tell *telemetry.Telemetry) (c cached, err error) {
	var store cache.Store
	switch cfg.CacheOfReads() {
	case config.NoCache:
		return cached{}, nil
	case config.RedisCache:
		c.shared, err = redis.Open(cfg.RedisConnection(), redis.Options{Prefix: prefix(cfg), Life: cfg.ReadCache.Life})
		if err != nil {
			return cached{}, err
		}
		store = c.shared
	default:
		store = cache.NewMemory(cfg.ReadCache.Bytes, cfg.ReadCache.Life)
	}
	c.reads = cache.New(source, store, cache.Options{Observer: toldCache(observeCache(log), tell.Cache())})
	c.feed = cache.NewFeed(store, cache.FeedOptions{Life: cfg.ReadCache.Life, Hold: cfg.Inbox.Hold})
	return c, nil
}

// prefix parts the apps that share a server, by what they store in. Instances of one app that reach the
// store by different addresses have to be told theirs.
func prefix(cfg config.Config) string {
	if cfg.ReadCache.Prefix != "" {
		return cfg.ReadCache.Prefix
	}
	account := strings.ToLower(strings.TrimRight(cmp.Or(cfg.Cosmos.Endpoint, access.Part(cfg.Cosmos.ConnectionString, "AccountEndpoint")), "/"))
	of := sha256.Sum256([]byte(account + "\n" + cfg.Cosmos.Database))
	return "relaybox:" + hex.EncodeToString(of[:6]) + ":"
}

// quietTime is how long the log says nothing more about a cache that comes and goes.
const quietTime = 10 * time.Second

// observeCache logs that the cache does not work, and that it works again, seldom: one that hovers
// between the two does so many times a second.
func observeCache(log *slog.Logger) cache.Observer {
	var mu sync.Mutex
	var last time.Time // of a warning
	var warned bool    // of what is not over yet
	return func(s cache.Signal) {
		mu.Lock()
		defer mu.Unlock()
		switch s := s.(type) {
		case cache.Failed:
			if time.Since(last) >= quietTime {
				last, warned = time.Now(), true
				log.Warn("the cache of reads does not work; reads go to the store", "times", s.Times, "for", s.For.String(), "error", s.Err)
			}
		case cache.Back:
			if warned {
				warned = false
				log.Info("the cache of reads works again", "after", s.After.String())
			}
		}
	}
}

// toldCache tells all who are there.
func toldCache(all ...cache.Observer) cache.Observer {
	return func(s cache.Signal) {
		for _, tell := range all {
			if tell != nil {
				tell(s)
			}
		}
	}
}
