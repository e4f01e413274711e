package balancer

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Options of a proxy; the zero value works.
type Options struct {
	// Health is the path that an instance answers with 2xx when it can work; default "/api/health/live".
	Health string
	// Every is how often it is asked, default half a second; Patience how long it may take, default 2 s.
	Every, Patience time.Duration
	// Timeout is how long an instance may take to begin its answer; default 30 s.
	Timeout time.Duration
	// MaxBody is the size of the largest body of a request; default 4 MiB.
	MaxBody int64
	// Dial opens connections to instances; default a net.Dialer of two seconds.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Proxy is an http.Handler.
type Proxy struct {
	opts      Options
	transport *http.Transport
	reverse   httputil.ReverseProxy

	mu        sync.Mutex // guards what follows
	instances []*instance
	next      int // index of the one whose turn it is
	moved     int
	gone      []Count // of those that were removed
}

// instance is a server behind the proxy.
type instance struct {
	name string
	url  *url.URL

	up      bool
	removed bool
	active  int           // requests that are not answered to the end
	idle    chan struct{} // closed when it is removed and active is 0
	count   Count
}

// Count is what an instance has had to do.
type Count struct {
	Name string
	// Requests are those that were sent to it; Failed of them got 502 or 504 from the proxy.
	Requests, Failed int
	// Up: it gets requests now.
	Up bool
}

// New returns a proxy without instances; Run looks after their health.
func New(o Options) *Proxy {
	o.Health = cmp.Or(o.Health, "/api/health/live")
	o.Every = cmp.Or(o.Every, time.Second/2)
	o.Patience = cmp.Or(o.Patience, 2*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.MaxBody = cmp.Or(o.MaxBody, 4<<20)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 2 * time.Second}).DialContext
	}
	p := &Proxy{opts: o, transport: &http.Transport{
		DialContext: o.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: o.Timeout,
		DisableCompression: true, // the client's to ask for
	}}
	p.reverse = httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetXForwarded() },
		Transport:     p,
		FlushInterval: -1, // at once
		ErrorHandler:  p.fail,
		ErrorLog:      quiet,
	}
	return p
}

// Add puts an instance behind the proxy. It gets no requests until it has answered a look.
func (p *Proxy) Add(name, base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instances = append(p.instances, &instance{name: name, url: u, idle: make(chan struct{}), count: Count{Name: name}})
	return nil
}

// ErrUnknown: no instance has that name.
var ErrUnknown = errors.New("there is no such instance")

// Remove gives an instance no more requests, and returns when those that it has are answered.
func (p *Proxy) Remove(ctx context.Context, name string) error {
	i := p.drop(name)
	if i == nil {
		return ErrUnknown
	}
	select {
	case <-i.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Proxy) drop(name string) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.instances, func(i *instance) bool { return i.name == name })
	if at < 0 {
		return nil
	}
	i := p.instances[at]
	p.instances = slices.Delete(p.instances, at, at+1)
	if p.next > at {
		p.next-- // the turn stays whose it was
	}
	i.removed, i.up = true, false
	if i.active == 0 {
		p.bury(i)
	}
	return i
}

// bury needs mu.
func (p *Proxy) bury(i *instance) {
	p.gone = append(p.gone, Count{Name: i.name, Requests: i.count.Requests, Failed: i.count.Failed})
	close(i.idle)
}

// take is the instance whose turn it is, but for those that were tried; nil when there is none.
func (p *Proxy) take(tried []*instance) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range p.instances {
		at := (p.next + n) % len(p.instances)
		if i := p.instances[at]; i.up && !slices.Contains(tried, i) {
			p.next = at + 1
			i.active++
			i.count.Requests++
			return i
		}
	}
	return nil
}

// release ends what take began.
func (p *Proxy) release(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i.active--; i.active == 0 && i.removed {
		p.bury(i)
	}
}

// unsent takes a request back that the instance did not get; it gets none until it is well again.
func (p *Proxy) unsent(i *instance, refused bool) {
	p.mu.Lock()
	i.count.Requests--
	if refused {
		i.up = false
	}
	p.moved++
	p.mu.Unlock()
	p.release(i)
}

func (p *Proxy) failed(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i.count.Failed++
}

// Counts are those of all instances that there were, by name, and how often a request was moved on
// to another instance, or found none, since it could not be sent.
func (p *Proxy) Counts() (all []Count, moved int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := map[string]*Count{}
	add := func(c Count) {
		s := sum[c.Name]
		if s == nil {
			s = &Count{Name: c.Name}
			sum[c.Name] = s
		}
		s.Requests, s.Failed, s.Up = s.Requests+c.Requests, s.Failed+c.Failed, s.Up || c.Up
	}
	for _, c := range p.gone {
		add(c)
	}
	for _, i := range p.instances {
		c := i.count
		c.Up = i.up
		add(c)
	}
	for _, c := range sum {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(len(a.Name)-len(b.Name), cmp.Compare(a.Name, b.Name)) })
	return all, p.moved
}
