package app

import (
	"context"
	"log/slog"

	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
)

// reads are the cache of the app, nil without one; shared is the part of it that is elsewhere. Making
// them does no I/O.
func reads(cfg config.Config, log *slog.Logger, source cache.Source, tell *telemetry.Telemetry) (reads entity.Cache, shared *redis.Store, err error) {
	var store cache.Store
	switch cfg.CacheOfReads() {
	case config.NoCache:
		return nil, nil, nil
	case config.RedisCache:
		shared, err = redis.Open(cfg.RedisConnection(), redis.Options{Prefix: "relaybox:" + cfg.Cosmos.Database + ":", Life: cfg.ReadCache.Life})
		if err != nil {
			return nil, nil, err
		}
		store = shared
	default:
		store = cache.NewMemory(cfg.ReadCache.Bytes, cfg.ReadCache.Life)
	}
	return cache.New(source, store, cache.Options{Observer: toldCache(observeCache(log), tell.Cache())}), shared, nil
}

func observeCache(log *slog.Logger) cache.Observer {
	return func(s cache.Signal) {
		switch s := s.(type) {
		case cache.Failed:
			level := slog.LevelWarn
			if s.Times&(s.Times-1) != 0 {
				level = slog.LevelDebug // the first, the second, the fourth and so on are enough
			}
			log.Log(context.Background(), level, "the cache of reads does not work; reads go to the store", "times", s.Times, "for", s.For.String(), "error", s.Err)
		case cache.Back:
			log.Info("the cache of reads works again", "after", s.After.String())
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
