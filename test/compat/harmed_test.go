package compat_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
	"github.com/relaybox/relaybox/local/selfsigned"
	"github.com/relaybox/relaybox/test/victim"
)

const busName = "minibus"

// harms are what happens to a broker between two steps of a client.
var harms = map[string]harm{
	"kills": {kill: true},
	"cuts":  {},
}

// spare names cases, each by the reason for which its broker is not harmed at every step: not while something is locked or a
// subscription is at work, and not once the case has moved the clock. They are harmed at their other steps.
type spare struct {
	// A message is locked over a step. Its lock ends with the process, as Service Bus may end one when it moves an entity
	// elsewhere: the client is told that the lock is lost, and the message comes again.
	locks []string
	// A session is locked over a step. By AMQP its lock ends with the link, and these clients do not take it once more.
	sessions []string
	// The clock that a case has moved is right again after a start, so what has ended by it goes on.
	clock []string
	// A settlement, or an error, that takes another way when the link of the message is gone: over $management, or to the handler of errors.
	ways []string
	// A message is locked over a step, and plain AMQP settles it by the link alone that brought it.
	links []string
}

// from lists the cases that a harm spares.
func (s spare) from(h harm) map[string]bool {
	list := slices.Concat(s.sessions, s.ways, s.links)
	if h.kill {
		list = slices.Concat(list, s.locks, s.clock)
	}
	spared := map[string]bool{}
	for _, name := range list {
		spared[name] = true
	}
	return spared
}

// harmed runs a client's scripts once for each harm. SHAKE_KILLS=1 has it come before each step.
func harmed(t *testing.T, program func(script string) []string, scripts []string, spared spare) {
	t.Helper()
	for name := range harms {
		harmedBy(t, name, program, scripts, spared)
	}
}

// harmedInTurn is harmed for a client that takes its time: unless SHAKE_KILLS is set, each script has one of the harms, and the
// next script the other.
func harmedInTurn(t *testing.T, program func(script string) []string, scripts []string, spared spare) {
	t.Helper()
	if os.Getenv("SHAKE_KILLS") != "" {
		harmed(t, program, scripts, spared)
		return
	}
	var turns [2][]string
	for i, script := range scripts {
		turns[i%2] = append(turns[i%2], script)
	}
	harmedBy(t, "kills", program, turns[0], spared)
	harmedBy(t, "cuts", program, turns[1], spared)
}

// harmedBy runs scripts under one harm, before each fifth step unless SHAKE_KILLS says otherwise.
func harmedBy(t *testing.T, name string, program func(script string) []string, scripts []string, spared spare) {
	t.Helper()
	require.NotEmpty(t, scripts)
	every, h := 5, harms[name]
	if text := os.Getenv("SHAKE_KILLS"); text != "" {
		var err error
		every, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		var steps, strikes atomic.Int64
		t.Cleanup(func() { t.Logf("%s: %d %s between %d calls", t.Name(), strikes.Load(), name, steps.Load()) })
		for _, script := range scripts {
			t.Run(filepath.Base(script), func(t *testing.T) {
				t.Parallel()
				s := &talk{harm: &h, every: every, spared: spared.from(h)}
				line := program(script)
				runCases(t, s, line[0], line[1:]...)
				steps.Add(int64(s.steps))
				strikes.Add(int64(s.strikes))
				require.NotZero(t, s.strikes, "%s between %d calls", name, s.steps)
			})
		}
	})
}

// harm is kill -9 and a start on the same folder and port; or else a cut of all connections.
type harm struct{ kill bool }

// harmedBus is a broker in a process of its own, and the network in front of it, which outlives it.
type harmedBus struct {
	front  *netsim.Listener
	dir    string
	pem    []byte                         // of the certificate that each process shows
	broker atomic.Pointer[victim.Process] // connections ask for it while it changes
	harm   harm
}

func startHarmed(t *testing.T, h harm) *harmedBus {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &harmedBus{front: netsim.Wrap(l), dir: t.TempDir(), harm: h}
	certificate, err := selfsigned.Certificate(busName)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	b.pem = selfsigned.PEM(certificate)
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "certificate.pem"), b.pem, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	require.NoError(t, b.start())
	t.Cleanup(func() {
		b.front.Cut()
		require.NoError(t, b.front.Close())
		b.broker.Load().Kill()
	})
	go b.pass()
	return b
}

func (b *harmedBus) start() error {
	p, err := victim.Start(busName, b.dir)
	if err == nil {
		b.broker.Store(p)
	}
	return err
}

// at are the addresses of the process: for clients, and for questions of the test.
func (b *harmedBus) at() (clients, questions string) {
	clients, questions, _ = strings.Cut(b.broker.Load().At, " ")
	return clients, questions
}

// pass leads each connection to the process that runs.
func (b *harmedBus) pass() {
	for {
		in, err := b.front.Accept()
		if err != nil {
			return
		}
		addr, _ := b.at()
		out, err := net.Dial("tcp", addr)
		if err != nil {
			_ = in.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				_, _ = io.Copy(way[0], way[1]) // it ends as its connection does
				_ = way[0].Close()
				_ = way[1].Close()
			}()
		}
	}
}

// given tells a script of the broker. Its administration answers on the port of AMQP too.
func (b *harmedBus) given() given {
	addr := b.front.Addr().String()
	return given{ConnectionString: minibus.DefaultPolicy.ConnectionString(addr), Admin: addr, Certificate: string(b.pem), Harmed: true}
}

// ask asks the process what a script wants to know.
func (b *harmedBus) ask(line said) (g given, err error) {
	text, err := json.Marshal(line)
	if err != nil {
		return g, err
	}
	_, addr := b.at()
	answer, err := http.Post("http://"+addr, "application/json", bytes.NewReader(text)) //nolint:noctx // on loopback, of a child
	if err != nil {
		return g, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		why, err := io.ReadAll(answer.Body)
		return g, errors.Join(fmt.Errorf("the broker says %s: %s", answer.Status, why), err)
	}
	return g, json.NewDecoder(answer.Body).Decode(&g)
}

// strike harms the broker. No link is left when it returns, and clients can connect again.
func (b *harmedBus) strike() error {
	b.front.Cut()
	defer b.front.Heal()
	if b.harm.kill {
		b.broker.Load().Kill()
		return b.start()
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if g, err := b.ask(said{Links: true}); err != nil || g.Links == 0 {
			return err
		}
	}
	return errors.New("links outlive their connections")
}

// serveBus is the broker of a case, for victim.Main.
func serveBus(arguments []string, ready io.Writer) error {
	dir := arguments[0]
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	config, err := loadTopology()
	if err != nil {
		return err
	}
	bus, err := minibus.Open(minibus.Options{
		Dir: filepath.Join(dir, "store"), Config: config, Policies: policies,
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return err
	}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	questions, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(questions, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // on loopback, to its parent
			var line said
			err := json.NewDecoder(r.Body).Decode(&line)
			if err == nil {
				var g given
				if g, err = tell(bus, line); err == nil {
					err = json.NewEncoder(w).Encode(g)
				}
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
	}()
	fmt.Fprintln(ready, clients.Addr(), questions.Addr())
	return bus.Serve(clients)
}
