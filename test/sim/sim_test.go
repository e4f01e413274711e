package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	talk  = flag.Bool("transcript", false, "print the transcript of every run")
)

var (
	switches = flag.Bool("switches", false, "turn the rules of package mutants off, one at a time, and look for the breach")
	only     = flag.String("switch", "", "turn only the rules off whose name contains this")
)

var appFolder string

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
	outputs := make([]bytes.Buffer, shards)
	var all errgroup.Group
	for n := range shards {
		all.Go(func() error {
			cmd := exec.Command(binary, os.Args[1:]...)
			cmd.Stdout, cmd.Stderr = &outputs[n], &outputs[n]
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
	args := append([]string{"test", "-c", "-tags", "simlocks", "-ldflags=-checklinkname=0", "-o", binary}, more...)
	if said, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
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
	if appFolder, err = os.MkdirTemp("", "relaybox-sim"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(appFolder)
	if err := Assemble(source, appFolder); err != nil {
		panic(err)
	}
	return m.Run()
}

func TestSeeds(t *testing.T) {
	mine, of := shard()
	for n := range *seeds {
		if n%of != mine {
			continue
		}
		seed := *first + uint64(n)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			try(t, Options{Seed: seed, App: appFolder})
		})
	}
}

func TestCalm(t *testing.T) {
	if mine, _ := shard(); mine != 0 {
		t.Skip("another process runs it")
	}
	try(t, Options{Seed: *first, App: appFolder, Calm: true})
}

func try(t *testing.T, o Options) {
	began := time.Now()
	report := bubble(t, o)
	if len(report.Breaches) > 0 || *talk {
		t.Logf("seed %d\n%s\n%s", o.Seed, strings.Join(report.Faults, "\n"), strings.Join(report.Transcript, "\n"))
	}
	t.Logf("seed %d: %d calls, %d events, %d copies, drained in %v; %v", o.Seed, report.Calls, report.Events, report.Copies, report.Took, time.Since(began))
	for _, b := range report.Breaches {
		t.Errorf("%v", b)
	}
}

// bubble is one run in time of its own.
func bubble(t *testing.T, o Options) (report Report) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		report, err = Run(o)
		require.NoError(t, err)
	})
	return report
}
