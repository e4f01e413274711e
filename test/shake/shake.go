// Package shake does to minicosmos what a client promises to get over, while that client's own
// cases run: delays, refusals, lost answers, and kill -9 between two requests. The cases are to end
// as they do in peace.
package shake

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
)

// Way is a way to shake a server.
type Way struct {
	Faults []minicosmos.Fault
	// Kills is how many requests there are from one kill -9 to the next; 0: there is none.
	Kills int
}

// Ways are all, by name. SHAKE_KILLS=1 has the server killed before each request.
func Ways() map[string]Way {
	kills, err := strconv.Atoi(os.Getenv("SHAKE_KILLS"))
	if err != nil {
		kills = 5
	}
	moment := minicosmos.Duration(time.Millisecond)
	return map[string]Way{
		"delays and refusals": {Faults: []minicosmos.Fault{
			{Do: minicosmos.Throttle, Chance: 0.1, Delay: moment},
			{Do: minicosmos.Throttle, On: minicosmos.OpPlan, Chance: 0.1, Delay: moment},
			{Do: minicosmos.Delay, Chance: 0.2, Delay: 20 * moment},
		}},
		"lost answers": {Faults: []minicosmos.Fault{
			{Do: minicosmos.DropAfter, On: minicosmos.OpRead, Chance: 0.1},
			{Do: minicosmos.DropBefore, On: minicosmos.OpRead, Chance: 0.1},
			{Do: minicosmos.DropAfter, On: minicosmos.OpQuery, Chance: 0.05},
		}},
		"kills": {Kills: kills},
	}
}

// direct reaches a child, whose certificate nobody knows.
var direct = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64} //nolint:gosec // on loopback

// Server is a minicosmos in a process of its own, and a proxy in front of it that outlives it.
type Server struct {
	// URL is the proxy's.
	URL string

	way   Way
	child child

	passing sync.RWMutex // held by each request that is under way

	mu       sync.Mutex
	requests int      // guarded by mu
	kills    int      // guarded by mu
	running  *process // guarded by mu
}

// Start starts a server with some physical ranges for each container. With a certificate it
// speaks TLS, on l, which may be nil without.
func Start(t *testing.T, way Way, ranges int, l net.Listener, certificate *tls.Certificate) *Server {
	t.Helper()
	s := &Server{way: way, child: child{dir: t.TempDir(), ranges: ranges, tls: certificate != nil}}
	require.NoError(t, s.start())
	t.Cleanup(func() { s.running.Kill() })
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			at := s.at()
			r.Out.URL.Scheme, r.Out.URL.Host = at.Scheme, at.Host
		},
		Transport: direct,
		// What the server cuts is cut.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.next(); err != nil {
			t.Error(err)
			panic(http.ErrAbortHandler)
		}
		s.passing.RLock()
		defer s.passing.RUnlock()
		proxy.ServeHTTP(w, r)
	}))
	if l != nil {
		_ = front.Listener.Close()
		front.Listener = l
	}
	if certificate != nil {
		front.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
		front.StartTLS()
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	s.URL = front.URL
	return s
}

func (s *Server) at() *url.URL {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running.at
}

// next kills the server between two requests when it is time to.
func (s *Server) next() error {
	s.mu.Lock()
	s.requests++
	due := s.way.Kills > 0 && s.requests%s.way.Kills == 0
	s.mu.Unlock()
	if !due {
		return nil
	}
	s.passing.Lock()
	defer s.passing.Unlock()
	s.running.Kill()
	s.mu.Lock()
	s.kills++
	s.mu.Unlock()
	return s.start()
}

// start starts the server on what is in its folder, with its faults.
func (s *Server) start() error {
	p, err := s.child.start()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running = p
	s.mu.Unlock()
	if len(s.way.Faults) == 0 {
		return nil
	}
	text, err := json.Marshal(s.way.Faults)
	if err != nil {
		return err
	}
	return s.faults(http.MethodPost, text, nil)
}

// Harm is what has been done: kills, or how often each fault has happened.
func (s *Server) Harm(t *testing.T) (requests int, harm []int) {
	t.Helper()
	s.passing.Lock() // a client may have left a request behind
	defer s.passing.Unlock()
	if len(s.way.Faults) == 0 {
		return s.requests, []int{s.kills}
	}
	var list []minicosmos.Injected
	require.NoError(t, s.faults(http.MethodGet, nil, &list))
	for _, one := range list {
		harm = append(harm, one.Fired)
	}
	return s.requests, harm
}

func (s *Server) faults(method string, body []byte, into any) error {
	request, err := http.NewRequest(method, s.at().String()+"/relaybox/faults", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Transport: direct}).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("faults: %s", answer.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
