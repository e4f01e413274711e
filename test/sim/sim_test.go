package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

var (
	seeds = flag.Int("seeds", 24, "how many seeds to run")
	first = flag.Uint64("seed", 1, "the first seed")
	talk  = flag.Bool("transcript", false, "print the transcript of every run")
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
// which plain go test cannot link.
func again() int {
	dir, err := os.MkdirTemp("", "relaybox-sim")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "sim.test")
	for _, line := range [][]string{
		{"go", "test", "-c", "-tags", "simlocks", "-ldflags=-checklinkname=0", "-o", binary, "."},
		append([]string{binary}, os.Args[1:]...),
	} {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return exit.ExitCode()
			}
			panic(err)
		}
	}
	return 0
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
	for n := range *seeds {
		seed := *first + uint64(n)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			try(t, Options{Seed: seed, App: appFolder})
		})
	}
}

func TestCalm(t *testing.T) {
	try(t, Options{Seed: *first, App: appFolder, Calm: true})
}

func try(t *testing.T, o Options) {
	var report Report
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		var err error
		report, err = Run(o)
		require.NoError(t, err)
	})
	if len(report.Breaches) > 0 || *talk {
		t.Logf("seed %d\n%s\n%s", o.Seed, strings.Join(report.Faults, "\n"), strings.Join(report.Transcript, "\n"))
	}
	t.Logf("seed %d: %d calls, %d events, %d copies, drained in %v; %v", o.Seed, report.Calls, report.Events, report.Copies, report.Took, time.Since(began))
	for _, b := range report.Breaches {
		t.Errorf("%v", b)
	}
}
