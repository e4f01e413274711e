package cosmos

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"golang.org/x/sync/singleflight"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/internal/pace"
)

// connectTime bounds one attempt to read the account.
const connectTime = 5 * time.Second

// connectPause is between two such attempts. It has no jitter: all callers share it.
var connectPause = pace.Backoff{First: 25 * time.Millisecond, Max: 500 * time.Millisecond}

// Options tunes a Client; the zero value works.
type Options struct {
	// AttemptTimeout bounds one request; default 10 s. The caller's deadline always holds.
	AttemptTimeout time.Duration
	// RetryBudget is how long one call may go on repeating what is safe to repeat; default
	// 3 s. A wait that would exceed it is not begun: the caller gets the error and its RetryAfter.
	RetryBudget time.Duration
	// EventualReads leaves session tokens out: only for accounts of strong consistency, since
	// Barrier is none without them.
	EventualReads bool
	// Transport replaces the pooled HTTP transport, Credential the one that the Connection asks for.
	Transport  http.RoundTripper
	Credential azcore.TokenCredential
	// Observer hears of every attempt that reaches the network; nil hears nothing.
	Observer Observer
	// Logger hears of connections that fail; default: nobody does.
	Logger *slog.Logger
}

// Client is one pooled connection to an account, for all goroutines of a process.
type Client struct {
	conn Connection
	opts Options
	http http.RoundTripper
	log  *slog.Logger

	ready  atomic.Pointer[azcosmos.Client]
	flight singleflight.Group
	// failures and notBefore belong to the flight.
	failures  int
	notBefore time.Time

	mu         sync.Mutex
	containers map[string]*container // by link; guarded by mu
}

// Open returns a client without any I/O. A faulty Connection shows at the first call;
// Validate tells earlier.
func Open(conn Connection, opts Options) *Client {
	if opts.AttemptTimeout <= 0 {
		opts.AttemptTimeout = 10 * time.Second
	}
	if opts.RetryBudget <= 0 {
		opts.RetryBudget = 3 * time.Second
	}
	c := &Client{conn: conn, opts: opts, http: opts.Transport, log: opts.Logger, containers: map[string]*container{}}
	if c.http == nil {
		t, _ := conn.resolve() // a fault here is reported by connect
		c.http = pooledTransport(t.tls)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Close lets go of idle connections. Calls under way are not disturbed.
func (c *Client) Close() {
	if sdk := c.ready.Load(); sdk != nil {
		sdk.Close()
	}
	if idle, ok := c.http.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// Ready connects, unless a call has done so before, and says whether that worked.
func (c *Client) Ready(ctx context.Context) error {
	if _, err := c.sdk(ctx); err != nil {
		return diagnose(ctx, err, false).classified(op{verb: "connect to", what: "the account"})
	}
	return nil
}

// sdk returns the connected SDK client. All callers share one attempt to connect, and
// none waits longer than its own context.
func (c *Client) sdk(ctx context.Context) (*azcosmos.Client, error) {
	if sdk := c.ready.Load(); sdk != nil {
		return sdk, nil
	}
	select {
	case r := <-c.flight.DoChan("", func() (any, error) { return nil, c.connect() }):
		if r.Err != nil {
			return nil, r.Err
		}
		return c.ready.Load(), nil
	case <-ctx.Done():
		return nil, &connectError{context.Cause(ctx)}
	}
}

// connect builds a fresh SDK client and makes it read the account, so that no data
// request ever meets a client that is not ready.
func (c *Client) connect() error {
	if c.ready.Load() != nil {
		return nil
	}
	time.Sleep(time.Until(c.notBefore))
	sdk, err := c.prime()
	if err != nil {
		c.failures++
		c.notBefore = time.Now().Add(connectPause.Ceiling(c.failures))
		if c.failures&(c.failures-1) == 0 { // 1, 2, 4, 8, …
			c.log.Warn("cosmos db is not reachable yet", "attempts", c.failures, "error", err)
		}
		return &connectError{err}
	}
	c.failures, c.notBefore = 0, time.Time{}
	c.ready.Store(sdk)
	return nil
}

func (c *Client) prime() (*azcosmos.Client, error) {
	transport := &transport{http: c.http, observer: c.opts.Observer}
	sdk, err := c.build(transport)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	transport.priming.Store(true)
	defer transport.priming.Store(false)
	if err := touch(ctx, sdk); err != nil {
		sdk.Close()
		return nil, err
	}
	return sdk, nil
}

// touch makes the SDK read the account. The request itself never leaves: a priming
// transport answers it.
func touch(ctx context.Context, sdk *azcosmos.Client) error {
	items, err := sdk.NewContainer("prime", "prime")
	if err != nil {
		return err
	}
	_, err = items.ReadItem(ctx, azcosmos.NewPartitionKeyString("prime"), "prime", nil)
	return err
}

func (c *Client) build(t *transport) (*azcosmos.Client, error) {
	at, err := c.conn.resolve()
	if err != nil {
		return nil, &access.SettingError{Err: err}
	}
	opts := &azcosmos.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       t,
		PerCallPolicies: []policy.Policy{plain{}},
		Retry:           policy.RetryOptions{MaxRetries: -1}, // retry.go knows better
		Telemetry:       policy.TelemetryOptions{ApplicationID: "relaybox"},
	}}
	if at.key != "" {
		key, err := azcosmos.NewKeyCredential(at.key)
		if err != nil {
			return nil, &access.SettingError{Err: errors.New("AccountKey is not usable")}
		}
		return azcosmos.NewClientWithKey(at.endpoint, key, opts)
	}
	identity, err := c.conn.identity().Open(c.opts.Credential)
	if err != nil {
		return nil, err
	}
	return azcosmos.NewClient(at.endpoint, identity, opts)
}

// container returns the one handle of a container, so that all its users share the
// session tokens.
func (c *Client) container(database, name string) *container {
	link := database + "/" + name
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.containers[link]
	if k == nil {
		k = &container{client: c, database: database, name: name}
		c.containers[link] = k
	}
	return k
}

// container is one container of the account.
type container struct {
	client         *Client
	database, name string
	bound          atomic.Pointer[azcosmos.ContainerClient]
	tokens         tokens
	place          place
}

// items returns the SDK's handle.
func (k *container) items(ctx context.Context) (*azcosmos.ContainerClient, error) {
	if items := k.bound.Load(); items != nil {
		return items, nil
	}
	sdk, err := k.client.sdk(ctx)
	if err != nil {
		return nil, err
	}
	items, err := sdk.NewContainer(k.database, k.name)
	if err != nil {
		return nil, &access.SettingError{Err: err}
	}
	k.bound.Store(items)
	return items, nil
}
