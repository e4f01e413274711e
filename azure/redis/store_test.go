package redis_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/alicebob/miniredis/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/cache/cachetest"
	"github.com/relaybox/relaybox/outbox"
)

func open(t *testing.T, c redis.Connection, opts redis.Options) *redis.Store {
	t.Helper()
	s, err := redis.Open(c, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func plain(t *testing.T, test func(t *testing.T)) { test(t) }

// TestStore over a server in this process.
func TestStore(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(t *testing.T) cachetest.Subject {
		server := miniredis.RunT(t)
		return cachetest.Subject{Store: open(t, redis.Connection{URL: "redis://" + server.Addr()}, redis.Options{Life: cachetest.Life}), Pass: server.FastForward}
	}, plain)
}

// TestStoreOfAServer over a real one, which REDIS_URL names. Its time is real, so a life is a tenth as long.
func TestStoreOfAServer(t *testing.T) {
	t.Parallel()
	url := os.Getenv("REDIS_URL")
	if url == "" {
		t.Skip("REDIS_URL names no server")
	}
	const haste = 10
	cachetest.TestStore(t, func(t *testing.T) cachetest.Subject {
		return cachetest.Subject{
			Store: open(t, redis.Connection{URL: url}, redis.Options{Prefix: t.Name() + strconv.FormatInt(time.Now().UnixNano(), 36) + ":", Life: cachetest.Life / haste}),
			Pass:  func(d time.Duration) { time.Sleep(d / haste) },
		}
	}, plain)
}

// TestPrefixesPartApps that share a server.
func TestPrefixesPartApps(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	one := open(t, redis.Connection{URL: "redis://" + server.Addr()}, redis.Options{Prefix: "one:"})
	other := open(t, redis.Connection{URL: "redis://" + server.Addr()}, redis.Options{Prefix: "other:"})
	require.NoError(t, one.Put(t.Context(), cache.Entry{Entity: outbox.Entity{Key: "k:1", Version: 1}}))
	_, ok, err := other.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, []string{"one:k:1"}, server.Keys())
	require.Equal(t, 5*time.Minute, server.TTL("one:k:1"), "by default")
}

// TestWhatIsNoEntry is none, and is replaced by one.
func TestWhatIsNoEntry(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := open(t, redis.Connection{URL: "redis://" + server.Addr()}, redis.Options{})
	server.HSet("k:1", "head", "{", "rank", "zzz")
	require.NoError(t, server.Set("k:2", "text"))
	server.HSet("k:3", "head", "{}")
	for _, key := range []string{"k:1", "k:2", "k:3"} {
		_, ok, err := s.Get(t.Context(), key)
		require.NoError(t, err)
		require.False(t, ok)
		require.NoError(t, s.Put(t.Context(), cache.Entry{Entity: outbox.Entity{Key: key, Version: 1}}))
		_, ok, err = s.Get(t.Context(), key)
		require.NoError(t, err)
		require.True(t, ok)
	}
}

// TestAnOutage: it fails while the server is away, and works again with it, a script that it has
// forgotten included.
func TestAnOutage(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := open(t, redis.Connection{URL: "redis://" + server.Addr()}, redis.Options{})
	e := cache.Entry{Entity: outbox.Entity{Key: "k:1", Version: 1}}
	require.NoError(t, s.Put(t.Context(), e))
	server.Close()
	require.Error(t, s.Put(t.Context(), e))
	_, _, err := s.Get(t.Context(), "k:1")
	require.Error(t, err)
	require.NoError(t, server.Restart())
	server.FlushAll()
	require.Eventually(t, func() bool { return s.Put(t.Context(), e) == nil }, time.Minute, time.Millisecond)
	_, ok, err := s.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.True(t, ok)
}

// server answers every command with what answer returns for its first word; "" is no answer.
func answering(t *testing.T, answer func(conn int, command string) string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewScanner(conn)
				for lines.Scan() { // *2 $4 PING …
					if command := strings.ToUpper(lines.Text()); command != "" && command[0] >= 'A' && command[0] <= 'Z' {
						_, _ = io.WriteString(conn, answer(n, command))
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// TestAServerThatSaysNothing is waited for as long as the context says.
func TestAServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	s := open(t, redis.Connection{URL: "redis://" + answering(t, func(int, string) string { return "" })}, redis.Options{})
	gone := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, _, err := s.Get(ctx, "k:1")
	require.ErrorIs(t, err, gone)
	require.ErrorIs(t, s.Ready(ctx), gone)
}

// TestCommandsAreBounded: behind a server that says nothing there are no more than the connections bear.
func TestCommandsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, redis.Connection{URL: "redis://" + answering(t, func(int, string) string { return "" })}, redis.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	for range 65 {
		_, _, err = s.Get(ctx, "k:1")
	}
	require.ErrorContains(t, err, "all connections are busy")
}

// TestAConnectionOutlivesWhoAskedForIt: it takes longer to set up than anybody waits, and is there then.
func TestAConnectionOutlivesWhoAskedForIt(t *testing.T) {
	t.Parallel()
	asked, ready := make(chan struct{}), make(chan struct{})
	var first sync.Once
	addr := answering(t, func(_ int, command string) string {
		switch command {
		case "HELLO":
			first.Do(func() { close(asked) })
			<-ready
			return "%1\r\n$5\r\nproto\r\n:3\r\n"
		case "HMGET":
			return "*2\r\n_\r\n_\r\n"
		case "PING":
			return "+PONG\r\n"
		}
		return ""
	})
	s := open(t, redis.Connection{URL: "redis://" + addr}, redis.Options{})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	_, _, err := s.Get(ctx, "k:1")
	require.ErrorIs(t, err, context.Canceled)
	close(ready)
	require.NoError(t, s.Ready(t.Context()))
	_, ok, err := s.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.False(t, ok)
}

// TestAServerThatRepeatsCommands tells no password on.
func TestAServerThatRepeatsCommands(t *testing.T) {
	t.Parallel()
	addr := answering(t, func(_ int, command string) string {
		return "-ERR unknown command '" + command + "', with args beginning with: 'app' 's3cret'\r\n"
	})
	s := open(t, redis.Connection{URL: "redis://app:s3cret@" + addr}, redis.Options{})
	err := s.Ready(t.Context())
	require.ErrorContains(t, err, "the server answers ERR")
	require.NotContains(t, err.Error(), "s3cret")
}

// credential has tokens of an identity.
type credential struct {
	token string
	err   error
	asked chan policy.TokenRequestOptions
}

func (c credential) GetToken(_ context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.asked != nil {
		c.asked <- opts
	}
	return azcore.AccessToken{Token: c.token, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

func tokenOf(t *testing.T, oid string) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "s"}
	if oid != "" {
		claims["oid"] = oid
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("k"))
	require.NoError(t, err)
	return token
}

// TestIdentityIsTheUser: the object id and the token are name and password, over TLS.
func TestIdentityIsTheUser(t *testing.T) {
	t.Parallel()
	certificate, roots := selfSigned(t)
	for name, c := range map[string]struct {
		principal, oid, user string
		fault                string
	}{
		"by the token":    {"", "object-1", "object-1", ""},
		"by the setting":  {"object-2", "object-1", "object-2", ""},
		"by a bare token": {"object-2", "", "object-2", ""},
		"by nothing":      {"", "", "object-1", "identity: its token names no object id (oid), so give the principal id"},
		"somebody else's": {"object-3", "", "object-1", "WRONGPASS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.NewMiniRedis()
			require.NoError(t, server.StartTLS(certificate))
			t.Cleanup(server.Close)
			token := tokenOf(t, c.oid)
			server.RequireUserAuth(c.user, token)
			asked := make(chan policy.TokenRequestOptions, 10)
			s := open(t, redis.Connection{Host: server.Addr(), Principal: c.principal}, redis.Options{Credential: credential{token: token, asked: asked}})
			redis.Trust(s, roots)
			err := s.Ready(t.Context())
			require.Equal(t, []string{"https://redis.azure.com/.default"}, (<-asked).Scopes)
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				require.NotContains(t, err.Error(), token)
				return
			}
			require.NoError(t, err)
		})
	}
}

// TestAnIdentityWithoutAToken is told as such.
func TestAnIdentityWithoutAToken(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := open(t, redis.Connection{Host: server.Addr()}, redis.Options{Credential: credential{err: errors.New("no identity here")}})
	redis.Trust(s, nil)
	require.ErrorContains(t, s.Ready(t.Context()), "identity: no identity here")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0"
	for name, c := range map[string]struct {
		connection redis.Connection
		fault      string
	}{
		"host":              {redis.Connection{Host: "x.westeurope.redis.azure.net"}, ""},
		"host and port":     {redis.Connection{Host: "x.westeurope.redis.azure.net:10000", ClientID: "id"}, ""},
		"managed":           {redis.Connection{Host: "x", Credential: "managedidentity"}, ""},
		"url":               {redis.Connection{URL: "redis://localhost:6379"}, ""},
		"url, whole":        {redis.Connection{URL: "redis://u:" + secret + "@localhost:6379/3"}, ""},
		"url over TLS":      {redis.Connection{URL: "rediss://:" + secret + "@x.westeurope.redis.azure.net:10000"}, ""},
		"nothing":           {redis.Connection{}, "neither a host name nor a URL is set"},
		"both":              {redis.Connection{URL: "redis://localhost", Host: "x"}, "both a host name and a URL are set"},
		"unknown identity":  {redis.Connection{Host: "x", Credential: "magic"}, `credential "magic" is not known`},
		"url for a host":    {redis.Connection{Host: "redis://:" + secret + "@x"}, "it is not a name like"},
		"string for a host": {redis.Connection{Host: "x:10000,password=" + secret + ",ssl=True"}, "it looks like a connection string"},
		"another scheme":    {redis.Connection{URL: "http://:" + secret + "@x"}, "it is not a URL like"},
		"no URL":            {redis.Connection{URL: "x:10000,password=" + secret + ",ssl=True"}, "it is not a URL like"},
		"broken URL":        {redis.Connection{URL: "redis://:" + secret + "%zz@x"}, "it is not a URL like"},
		"no database":       {redis.Connection{URL: "redis://:" + secret + "@x/y"}, "the database is a number"},
		"parameters":        {redis.Connection{URL: "redis://:" + secret + "@x?db=1"}, "it has parameters"},
		"no TLS in Azure":   {redis.Connection{URL: "redis://:" + secret + "@x.Redis.Cache.Windows.net:6379"}, "without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.connection.Validate()
			if c.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.fault)
			require.NotContains(t, err.Error(), secret)
		})
	}
}
