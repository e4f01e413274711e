package compat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A script is a program in another language that runs cases one after another. It says on its standard output, a JSON
// object a line, that a case begins; is given a broker for it on its standard input; may ask about the broker; and says
// how the case ended. Each case is a subtest, on a broker of its own. A script watches the time of its cases.

// said is a line of a script.
type said struct {
	Begin string `json:"begin"` // a case that begins and wants a broker
	Done  string `json:"done"`  // a case that has ended
	Error string `json:"error"` // why it failed
	Skip  string `json:"skip"`  // why it does not apply
	End   *int   `json:"end"`   // no case is left; how many there were

	Advance float64 `json:"advance"` // milliseconds to skip
	Peek    string  `json:"peek"`    // an entity whose messages are asked for
	Counts  string  `json:"counts"`  // an entity whose counts are asked for
	Links   bool    `json:"links"`   // the number of open links is asked for
	Step    bool    `json:"step"`    // a client has nothing under way: the broker may be harmed before it goes on
	Working bool    `json:"working"` // with Step: but messages are handled in the background
	Held    bool    `json:"held"`    // asked by the test itself: whether a message or session is locked
}

// given is a line to a script.
type given struct {
	ConnectionString string          `json:"connectionString,omitempty"`
	Admin            string          `json:"admin,omitempty"`       // host:port of the administration interface
	Certificate      string          `json:"certificate,omitempty"` // PEM, for TLS on the port of ConnectionString
	Harmed           bool            `json:"harmed,omitempty"`      // steps are asked for, and clients are to try again
	Messages         json.RawMessage `json:"messages,omitempty"`    // a list of minibus.Message
	Counts           minibus.Counts  `json:"counts"`
	Links            int             `json:"links"`
	Held             bool            `json:"held,omitempty"`
	Struck           bool            `json:"struck,omitempty"` // in answer to a step: the broker was harmed
}

// The time for a whole script, should its own watch fail.
const (
	scriptTime = 3 * time.Minute
	harmedTime = 8 * time.Minute
)

// modules looks for a package in the folder that NODE_MODULES names; without it the test is skipped.
func modules(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("NODE_MODULES")
	if folder == "" {
		t.Skipf("NODE_MODULES does not name a folder: npm install %s", name)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node")
	}
	about, err := os.ReadFile(filepath.Join(folder, name, "package.json"))
	if err != nil {
		t.Skipf("NODE_MODULES has no %s: npm install %s", name, name)
	}
	var p struct{ Version string }
	require.NoError(t, json.Unmarshal(about, &p))
	t.Logf("%s %s", name, p.Version)

}

// delays are what every client of a broker has to bear.
func delays() (list []minibus.Fault) {
	for _, on := range []minibus.Moment{minibus.OnSend, minibus.OnReceive, minibus.OnSettle, minibus.OnManage} {
		list = append(list, minibus.Fault{On: on, Do: minibus.Delay, Delay: minibus.Duration(20 * time.Millisecond), Chance: 0.3})
	}
	return list
}

// runScript runs a script and each of its cases as a subtest: in peace, and with delays.
func runScript(t *testing.T, program string, args ...string) {
	t.Helper()
	for name, faults := range map[string][]minibus.Fault{"in peace": nil, "with delays": delays()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runCases(t, &talk{faults: faults}, program, args...)
		})
	}
}

// runCases runs a script whose cases get their brokers from s.
func runCases(t *testing.T, s *talk, program string, args ...string) {
	t.Helper()
	limit := scriptTime
	if s.harm != nil {
		limit = harmedTime
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the tester's own program
	var stderr bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &stderr, 5*time.Second
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s.in, s.out = in, bufio.NewScanner(out)
	s.out.Buffer(nil, 1<<20)
	cases := 0
	for {
		line, err := s.hear()
		if err != nil {
			break
		}
		if line.End != nil {
			require.Equal(t, cases, *line.End, "cases")
			require.NotZero(t, cases, "cases")
			require.NoError(t, in.Close())
			require.NoError(t, cmd.Wait(), "%s", &stderr)
			return
		}
		cases++
		t.Run(line.Begin, func(t *testing.T) { s.play(t, line.Begin) })
	}
	cancel()
	t.Fatalf("the script has ended early: %v\n%s", cmd.Wait(), &stderr)
}

// loadTopology is what the scripts rely on.
func loadTopology() (*minibus.Config, error) {
	text, err := os.ReadFile(filepath.Join("scripts", "Config.json"))
	if err != nil {
		return nil, err
	}
	return minibus.LoadConfig(bytes.NewReader(text))
}

var policies = []minibus.Policy{minibus.DefaultPolicy, {Name: "listener", Key: "listens", Claims: []minibus.Claim{minibus.Listen}}}

// talk is the conversation with a script.
type talk struct {
	in  io.Writer
	out *bufio.Scanner

	faults []minibus.Fault // of brokers that nothing else happens to

	harm    *harm           // nil: none
	every   int             // how many steps there are from one harm to the next
	spared  map[string]bool // cases whose broker is not harmed at every step
	steps   int
	strikes int
}

// hear reads the next line.
func (s *talk) hear() (line said, err error) {
	if !s.out.Scan() {
		return line, fmt.Errorf("the script says no more: %w", io.ErrUnexpectedEOF)
	}
	if err := json.Unmarshal(s.out.Bytes(), &line); err != nil {
		return line, fmt.Errorf("the script says %q: %w", s.out.Text(), err)
	}
	return line, nil
}

func (s *talk) answer(t *testing.T, g given) {
	t.Helper()
	text, err := json.Marshal(g)
	require.NoError(t, err)
	_, err = s.in.Write(append(text, '\n'))
	require.NoError(t, err)
}

// play gives a case its broker and serves it until the case has ended.
func (s *talk) play(t *testing.T, name string) {
	t.Helper()
	if s.harm != nil {
		s.playHarmed(t, name)
		return
	}
	config, err := loadTopology()
	require.NoError(t, err)
	bus := minibus.RunT(t, func(o *minibus.Options) { o.Config, o.Policies = config, policies })
	require.NoError(t, bus.Inject(s.faults...))
	certificate, err := bus.CertificatePEM()
	require.NoError(t, err)
	s.answer(t, given{ConnectionString: bus.ConnectionString(), Admin: bus.AdminAddr, Certificate: string(certificate)})
	s.serve(t, name, func(line said) (given, error) { return tell(bus.Server, line) })
}

// playHarmed is play on a broker that is harmed between steps.
func (s *talk) playHarmed(t *testing.T, name string) {
	t.Helper()
	bus, moved := startHarmed(t, *s.harm), false
	s.answer(t, bus.given())
	s.serve(t, name, func(line said) (g given, err error) {
		if !line.Step {
			moved = moved || line.Advance > 0
			return bus.ask(line)
		}
		if s.steps++; s.steps%s.every != 0 {
			return g, nil
		}
		if s.spared[name] {
			if now, err := bus.ask(said{Held: true}); err != nil || now.Held || moved || line.Working {
				return g, err
			}
		}
		s.strikes++
		return given{Struck: true}, bus.strike()
	})
}

// serve answers a case until it has ended, and sees its links end.
func (s *talk) serve(t *testing.T, name string, ask func(said) (given, error)) {
	t.Helper()
	for {
		line, err := s.hear()
		require.NoError(t, err)
		if line.Done != "" {
			require.Equal(t, name, line.Done)
			if line.Skip != "" {
				t.Skip(line.Skip)
			}
			require.Empty(t, line.Error)
			require.Eventually(t, func() bool {
				now, err := ask(said{Links: true})
				return err == nil && now.Links == 0
			}, time.Minute, 5*time.Millisecond, "links of clients that were closed")
			return
		}
		g, err := ask(line)
		require.NoError(t, err)
		s.answer(t, g)
	}
}

// tell answers what a script asks about a broker.
func tell(bus *minibus.Server, line said) (g given, err error) {
	switch {
	case line.Advance > 0:
		err = bus.Advance(time.Duration(line.Advance * float64(time.Millisecond)))
	case line.Peek != "":
		g.Messages, err = json.Marshal(bus.Peek(line.Peek))
	case line.Counts != "":
		g.Counts = bus.Counts(line.Counts)
	case line.Links:
		g.Links = bus.Links()
	case line.Held:
		for _, entity := range bus.Snapshot() {
			g.Held = g.Held || entity.Counts.Locked > 0
			for _, session := range entity.Sessions {
				g.Held = g.Held || !session.LockedUntil.IsZero()
			}
		}
	}
	return g, err
}
