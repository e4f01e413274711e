package probe

import (
	"net/http"
	"sync"
	"time"
)

// Clock compares a service's clock with ours, by the Date header of whatever it answers,
// a refusal too: a request that our clock has spoilt is refused, and tells why. It sits
// between an SDK and Base and is safe for concurrent use.
type Clock struct {
	Base http.RoundTripper

	mu    sync.Mutex
	known bool          // guarded by mu
	ahead time.Duration // guarded by mu
}

// RoundTrip passes the request on and reads the answer's Date.
func (c *Clock) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := c.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.note(asked, time.Now(), date)
	}
	return resp, nil
}

// Do is RoundTrip for the Azure SDKs.
func (c *Clock) Do(req *http.Request) (*http.Response, error) { return c.RoundTrip(req) }

// note takes the middle of the exchange for the moment at which date was written. A date
// has whole seconds, so that less than two of them mean nothing.
func (c *Clock) note(asked, answered, date time.Time) {
	ahead := date.Add(500 * time.Millisecond).Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Second)
	if ahead.Abs() < 2*time.Second {
		ahead = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || ahead.Abs() < c.ahead.Abs() { // a slow exchange only adds
		c.known, c.ahead = true, ahead
	}
}

// Ahead is how far the service's clock is ahead of ours, negative when ours is; false if
// no answer told.
func (c *Clock) Ahead() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, c.known
}
