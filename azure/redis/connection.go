package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/golang-jwt/jwt/v5"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/singleflight"

	"github.com/relaybox/relaybox/azure/access"
)

// Connection says where the server is and who we are. Give a Host for Azure, where the app's identity
// is the credential, or a URL for another server.
type Connection struct {
	// URL is redis://[USER:PASSWORD@]HOST:PORT[/DATABASE], or rediss:// over TLS.
	URL string
	// Host is NAME.REGION.redis.azure.net, or that with a port; 10000 by default.
	Host string
	// ClientID names a user-assigned managed identity.
	ClientID string
	// Credential is "managedidentity", or "" for azidentity's default chain.
	Credential string
	// Principal is the object id of the identity, which is its user name here; "" for the one that its
	// tokens name.
	Principal string
}

// Validate names the first fault of the connection. It never repeats a password.
func (c Connection) Validate() error {
	_, err := c.options(nil)
	return err
}

const defaultPort = "10000"

// options are those of the client. It does no I/O.
func (c Connection) options(given azcore.TokenCredential) (*goredis.Options, error) {
	switch {
	case c.URL != "" && c.Host != "":
		return nil, errors.New("both a host name and a URL are set: keep the host name in Azure, the URL for another server")
	case c.URL != "":
		return parseURL(c.URL)
	case c.Host == "":
		return nil, errors.New("neither a host name nor a URL is set")
	}
	if err := access.CheckPlace(c.Host, "a name like NAME.REGION.redis.azure.net"); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(c.Host)
	if err != nil {
		host, port = c.Host, defaultPort
	}
	if host == "" || strings.ContainsAny(host, "/:@ ") {
		return nil, errors.New("it is not a name like NAME.REGION.redis.azure.net")
	}
	identity := access.Identity{ClientID: c.ClientID, Credential: c.Credential}
	if err := identity.Validate(); err != nil {
		return nil, err
	}
	credential, err := identity.Open(given)
	if err != nil {
		return nil, err
	}
	opts := basic()
	opts.Addr = net.JoinHostPort(host, port)
	opts.TLSConfig = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	opts.CredentialsProviderContext = (&tokens{credential: credential, principal: c.Principal}).user
	return opts, nil
}

// parseURL takes a URL, whose faults are told without it.
func parseURL(s string) (*goredis.Options, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" {
		return nil, errors.New("it is not a URL like redis://localhost:6379, or rediss:// over TLS")
	}
	if azures(u.Hostname()) && u.Scheme != "rediss" {
		return nil, errors.New("it is a server of Azure without TLS: give its host name in place of a URL, for the app's identity, or write rediss://")
	}
	if u.RawQuery != "" {
		return nil, errors.New("it has parameters behind a question mark, which are not taken")
	}
	parsed, err := goredis.ParseURL(u.String())
	if err != nil {
		return nil, errors.New("it is not a URL like redis://localhost:6379/0: the database is a number")
	}
	opts := basic()
	opts.Addr, opts.Username, opts.Password, opts.DB, opts.TLSConfig = parsed.Addr, parsed.Username, parsed.Password, parsed.DB, parsed.TLSConfig
	return opts, nil
}

func azures(host string) bool {
	host = strings.ToLower(host)
	// Every cloud of Azure, and each generation of the service.
	return strings.Contains(host, ".redis.azure.") || strings.Contains(host, ".redis.cache.") || strings.Contains(host, ".redisenterprise.cache.")
}

// basic are the options that all connections have. A connection is given up after half the life of a
// new token; one that was opened with an older one is closed by the server, and found closed.
func basic() *goredis.Options {
	return &goredis.Options{
		MaxRetries: -1, DialerRetries: 1, DialTimeout: 5 * time.Second, ContextTimeoutEnabled: true,
		MaxActiveConns: 64, PoolSize: 64, ConnMaxIdleTime: 9 * time.Minute, ConnMaxLifetime: 30 * time.Minute,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// scope is what the tokens are for.
const scope = "https://redis.azure.com/.default"

// tokens are those of an identity, as the passwords of its connections.
type tokens struct {
	credential azcore.TokenCredential
	principal  string
	flights    singleflight.Group
}

// tokenTime bounds the request for a token, which goes on when the one who began it has left: the next
// one finds it.
const tokenTime = 30 * time.Second

func (t *tokens) user(ctx context.Context) (name, password string, err error) {
	flight := t.flights.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTime)
		defer cancel()
		return t.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	})
	select {
	case <-ctx.Done():
		return "", "", context.Cause(ctx)
	case done := <-flight:
		if done.Err != nil {
			return "", "", done.Err
		}
		token := done.Val.(azcore.AccessToken)
		if name = t.principal; name == "" {
			name, err = principalOf(token.Token)
		}
		return name, token.Token, err
	}
}

// principalOf is the object id that a token names. The server checks the token, we only read it.
func principalOf(token string) (string, error) {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return "", &access.TokenError{Err: errors.New("its token cannot be read, so give the principal id")}
	}
	id, _ := claims["oid"].(string)
	if id == "" {
		return "", &access.TokenError{Err: fmt.Errorf("its token names no object id (oid), so give the principal id")}
	}
	return id, nil
}
