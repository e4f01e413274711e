package sim

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/local/stack"
)

var (
	seeds = flag.Int("seeds", 24, "how many seeds to run")
	first = flag.Uint64("seed", 1, "the first seed")
	lose  = flag.Bool("lose", false, "lose the entities' container in every run")
	talk  = flag.Bool("transcript", false, "print the transcript of every run")
)

var (
	switches = flag.Bool("switches", false, "turn the rules of package mutants off, one at a time, and look for the breach")
	only     = flag.String("switch", "", "turn only the rules off whose name matches this")
)

// appFolder has the app, sessionsFolder the same with a consumer that takes sessions.
var appFolder, sessionsFolder string

func TestMain(m *testing.M) {
	flag.Parse()
	if !locksCount {
		os.Exit(again())
	}
	os.Exit(run(m))
}

// again runs the tests in a binary whose bubbles take a wait for a lock as a wait (locks.go),
// which plain go test cannot link: one process for each processor, and one bubble at a time
// in each, because the SDKs have locks that all bubbles of a process share.
func again() int {
	dir, err := os.MkdirTemp("", "relaybox-sim")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "sim.test")
	if err := build(binary); err != nil {
		fmt.Println(err)
		return 1
	}
	shards := min(runtime.NumCPU(), *seeds)
	if *switches {
		shards = 1
	}
	outputs := make([]bytes.Buffer, shards)
	var all errgroup.Group
	for n := range shards {
		all.Go(func() error {
			cmd := exec.Command(binary, os.Args[1:]...)
			cmd.Stdout, cmd.Stderr = &outputs[n], &outputs[n]
			if shards == 1 {
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			}
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d/%d", shardEnv, n, shards), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
			return cmd.Run()
		})
	}
	err = all.Wait()
	for _, o := range outputs {
		_, _ = os.Stdout.Write(o.Bytes())
	}
	if err != nil {
		return 1
	}
	return 0
}

// build builds this package's tests as they must be.
func build(binary string, more ...string) error {
	args := append([]string{"test", "-c", "-tags", "simlocks", "-ldflags=-checklinkname=0 -s -w", "-o", binary}, more...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // nothing here needs C, and linking is faster without it
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// shardEnv tells a process which seeds are its own: the remainder and the divisor.
const shardEnv = "RELAYBOX_SIM_SHARD"

func shard() (n, of int) {
	if _, err := fmt.Sscanf(os.Getenv(shardEnv), "%d/%d", &n, &of); err != nil {
		return 0, 1
	}
	return n, of
}

func run(m *testing.M) int {
	source, err := stack.FindSource(".")
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "relaybox-sim")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	appFolder, sessionsFolder = filepath.Join(folder, "app"), filepath.Join(folder, "sessions")
	if err := errors.Join(Assemble(source, appFolder, false), Assemble(source, sessionsFolder, true)); err != nil {
		panic(err)
	}
	return m.Run()
}

// TestSeeds runs seeds that nobody has chosen.
func TestSeeds(t *testing.T) {
	mine, of := shard()
	var all totals
	for n := range *seeds {
		if n%of == mine {
			all.run(t, Options{Seed: *first + uint64(n), App: appFolder, Sessions: sessionsFolder})
		}
	}
	fmt.Println(all)
}

// TestRegressions runs the seeds that have shown something once: testdata/seeds.txt, with a
// word on each. They showed it without sessions.
func TestRegressions(t *testing.T) {
	mine, of := shard()
	text, err := os.ReadFile("testdata/seeds.txt")
	require.NoError(t, err)
	var all totals
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		seed, _, _ := strings.Cut(line, " ")
		number, err := strconv.ParseUint(seed, 10, 64)
		require.NoError(t, err, line)
		if n%of == mine {
			all.run(t, Options{Seed: number, App: appFolder})
		}
	}
}

// TestCalm: without faults everything is as without the simulation, and at once.
func TestCalm(t *testing.T) {
	if mine, _ := shard(); mine != 0 {
		t.Skip("another process runs it")
	}
	report := bubble(t, Options{Seed: *first, App: appFolder, Calm: true})
	require.Empty(t, report.Breaches, strings.Join(report.Transcript, "\n"))
	require.Less(t, report.Took, 10*time.Second)
	require.Equal(t, report.Events, report.Copies, "a copy was sent twice, and nobody had reason to")
}

// totals are what several runs were.
type totals struct {
	runs, faults, calls, events, copies int
	slowest                             time.Duration

	mixed, sessions, reborn, taken, lost, superseded int
}

func (a totals) String() string {
	return fmt.Sprintf("seeds %d: %d faults, %d calls, %d events, %d copies at the topic, slowest drain %v; two versions in %d, sessions in %d\n"+
		"the entities' container was replaced in %d: %d events were gone with it, %d had no effect, %d came too late",
		a.runs, a.faults, a.calls, a.events, a.copies, a.slowest, a.mixed, a.sessions, a.reborn, a.taken, a.lost, a.superseded)
}

func (a *totals) run(t *testing.T, o Options) {
	t.Run(fmt.Sprint(o.Seed), func(t *testing.T) {
		again := ""
		if *lose {
			o.too, again = containerLost, " -lose"
		}
		report := bubble(t, o)
		a.runs++
		a.faults += len(report.Faults)
		a.calls += report.Calls
		a.events += report.Events
		a.copies += report.Copies
		a.slowest = max(a.slowest, report.Took)
		if report.Mixed {
			a.mixed++
		}
		if report.Sessions {
			a.sessions++
		}
		if report.Reborn {
			a.reborn++
		}
		a.taken += report.Taken
		a.lost += report.Lost
		a.superseded += report.Superseded
		if len(report.Breaches) > 0 || *talk {
			t.Logf("%s\n%s", strings.Join(report.Faults, "\n"), strings.Join(report.Transcript, "\n"))
		}
		for _, b := range report.Breaches {
			t.Errorf("%v\nonce more: go test ./test/sim -run TestSeeds -seed %d -seeds 1%s", b, o.Seed, again)
		}
	})
}

// bubble is one run in time of its own.
func bubble(t *testing.T, o Options) (report Report) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		report, err = Run(o)
		require.NoError(t, err)
	})
	report.Judge()
	return report
}
