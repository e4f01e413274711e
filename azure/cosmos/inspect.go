package cosmos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/azure/probe"
)

// Sight is what Inspect saw.
type Sight struct {
	// Err says why the account could not be read; then nothing else was asked.
	Err error
	// Ahead is how far the account's clock is ahead of ours, if an answer told.
	Ahead      time.Duration
	ClockKnown bool

	WriteRegions []string
	// MultipleWrites: every region takes writes.
	MultipleWrites bool
	Consistency    string

	// DatabaseErr is about the database itself.
	DatabaseErr error
	Containers  map[string]ContainerSight
}

// Host is the account's host, with its port if it has one; "" if the connection is faulty.
func (c Connection) Host() string {
	at, err := c.resolve()
	if err != nil {
		return ""
	}
	u, err := parseEndpoint(at.endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// ContainerSight is a container, or why there is none to see.
type ContainerSight struct {
	ContainerProperties
	Err error
}

// Inspect reads the account and what is said of the containers, each once, with reads
// alone. Errors in a Sight are judged: see package probe.
func Inspect(ctx context.Context, conn Connection, opts Options, database string, containers ...string) Sight {
	if err := conn.Validate(); err != nil {
		return Sight{Err: &probe.Error{Verdict: probe.Faulty, Err: err}}
	}
	clock := &probe.Clock{Base: opts.Transport}
	if clock.Base == nil {
		at, _ := conn.resolve() // valid, as we know
		clock.Base = pooledTransport(at.tls)
	}
	watch := &accountWatch{next: clock}
	opts.Transport = watch
	c := Open(conn, opts)
	defer c.Close()

	s := Sight{Containers: map[string]ContainerSight{}}
	sdk, err := c.sdk(ctx)
	if err = probe.Judge(err); err != nil && probe.Of(err) == probe.NoToken {
		sdk, err = c.sdk(ctx) // a developer's tool may need longer for its first token than an app connects
	}
	s.Ahead, s.ClockKnown = clock.Ahead()
	if err != nil {
		s.Err = probe.Judge(err)
		return s
	}
	watch.into(&s)
	s.DatabaseErr = probe.Judge(readDatabase(ctx, sdk, database))
	var mu sync.Mutex
	var reading sync.WaitGroup
	for _, name := range containers {
		reading.Go(func() {
			seen := readContainer(ctx, sdk, database, name)
			mu.Lock()
			defer mu.Unlock()
			s.Containers[name] = seen
		})
	}
	reading.Wait()
	return s
}

func readDatabase(ctx context.Context, sdk *azcosmos.Client, name string) error {
	db, err := sdk.NewDatabase(name)
	if err != nil {
		return err
	}
	_, err = db.Read(ctx, nil)
	return err
}

func readContainer(ctx context.Context, sdk *azcosmos.Client, database, name string) ContainerSight {
	k, err := sdk.NewContainer(database, name)
	if err != nil {
		return ContainerSight{Err: probe.Judge(err)}
	}
	resp, err := k.Read(ctx, nil)
	if err != nil {
		return ContainerSight{Err: probe.Judge(err)}
	}
	if resp.ContainerProperties == nil {
		return ContainerSight{Err: &probe.Error{Verdict: probe.Faulty, Err: errors.New("the answer holds no container")}}
	}
	return ContainerSight{ContainerProperties: propertiesOf(resp.ContainerProperties)}
}

// accountWatch keeps the account document, which the SDK reads and does not hand out.
type accountWatch struct {
	next *probe.Clock

	mu   sync.Mutex
	body []byte // guarded by mu
}

func (w *accountWatch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err != nil || (req.URL.Path != "" && req.URL.Path != "/") {
		return resp, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body = text
	return resp, nil
}

// CloseIdleConnections passes Client.Close on.
func (w *accountWatch) CloseIdleConnections() {
	if idle, ok := w.next.Base.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// into fills in what the account document tells.
func (w *accountWatch) into(s *Sight) {
	var doc struct {
		WritableLocations []struct{ Name string }
		MultipleWrites    bool                                     `json:"enableMultipleWriteLocations"`
		ConsistencyPolicy struct{ DefaultConsistencyLevel string } `json:"userConsistencyPolicy"`
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if json.Unmarshal(w.body, &doc) != nil {
		return // the SDK has read it, so this does not happen
	}
	for _, l := range doc.WritableLocations {
		s.WriteRegions = append(s.WriteRegions, l.Name)
	}
	s.MultipleWrites, s.Consistency = doc.MultipleWrites, doc.ConsistencyPolicy.DefaultConsistencyLevel
}
