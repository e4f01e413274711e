package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/outbox"
)

// probeLife is how long doctor's own entry stays in the cache.
const probeLife = 10 * time.Second

// checkReads writes an entry into the cache that instances share and reads it, as the app does. Nothing
// about it is refused: without it the app reads the store.
func checkReads(ctx context.Context, c config.Config, who identities) Group {
	conn := c.RedisConnection()
	g := Group{Name: "Redis"}
	if conn.Validate() != nil {
		g.Findings = []Finding{notAsked("cache of reads", "REDIS_CONNECTION")}
		return g
	}
	opts := redis.Options{Prefix: "relaybox:doctor:", Life: probeLife}
	if conn.URL == "" {
		g.Name = "Redis " + conn.Host
		opts.Credential = who.of(conn.ClientID)
		if !who.managed {
			conn.Principal = "" // that is the app's
		}
	}
	g.Findings = []Finding{judgeReads(conn, tryReads(ctx, conn, opts))}
	return g
}

func tryReads(ctx context.Context, conn redis.Connection, opts redis.Options) error {
	store, err := redis.Open(conn, opts)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	e := cache.Entry{Entity: outbox.Entity{Key: "entry", Version: 1}, At: time.Now()}
	if err := store.Put(ctx, e); err != nil {
		return err
	}
	_, found, err := store.Get(ctx, e.Entity.Key)
	if err == nil && !found {
		err = errors.New("an entry that was written is not there")
	}
	return err
}

func judgeReads(conn redis.Connection, err error) Finding {
	const subject = "cache of reads"
	if err == nil {
		return ok(subject, "an entry was written and read")
	}
	found := reason(err.Error()) + "; reads go to the store"
	token, tokenless := errors.AsType[*access.TokenError](err)
	switch text := err.Error(); {
	case tokenless:
		return finding(Unknown, subject, "no token to sign in with: "+token.Err.Error(), "run az login, or doctor --managed-identity on a machine that has the app's identity")
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"), strings.Contains(text, "NOPERM"):
		if conn.URL != "" {
			return finding(Warning, subject, found, "correct user and password in REDIS_CONNECTION")
		}
		return finding(Warning, subject, found, "give the identity an access policy assignment on the cache")
	case conn.URL != "":
		return finding(Warning, subject, found, "start the server that REDIS_CONNECTION names, or set RELAYBOX_READ_CACHE to memory")
	}
	return finding(Unknown, subject, found, "check the name and the network; behind a private endpoint run doctor inside that network")
}
