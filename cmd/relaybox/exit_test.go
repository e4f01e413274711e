package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// verbs are all that have work of their own, but for cobra's.
func verbs(t *testing.T) []*cobra.Command {
	t.Helper()
	var all []*cobra.Command
	var add func(*cobra.Command)
	add = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			add(below)
		}
		if c.Runnable() && c.HasParent() {
			all = append(all, c)
		}
	}
	add(rootCommand())
	require.NotEmpty(t, all)
	return all
}

// printed is what a program has printed, from any goroutine: its handler's lines are in it.
type printed struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// called runs the program and returns what its caller sees.
func called(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errors printed
	err := run(ctx, args, &out, &errors)
	status = exit(ctx, err, &errors)
	return status, out.String(), errors.String()
}

// TestEveryVerbHasTheSameStatuses: a flag or an argument that it does not know is a fault of the
// command line, whatever the verb, and nothing is printed but that.
func TestEveryVerbHasTheSameStatuses(t *testing.T) {
	t.Parallel()
	for _, verb := range verbs(t) {
		name := strings.Fields(verb.CommandPath())[1:]
		t.Run(strings.Join(name, " "), func(t *testing.T) {
			t.Parallel()
			with := func(more ...string) []string { return append(append([]string(nil), name...), more...) }

			status, out, said := called(t.Context(), with("--help")...)
			require.Zero(t, status, said)
			require.Contains(t, out, "Usage:")

			status, out, said = called(t.Context(), with("--no-such-flag")...)
			require.Equal(t, exitUsage, status)
			require.Empty(t, out)
			require.Contains(t, said, "--no-such-flag")
			require.Contains(t, said, verb.CommandPath()+" --help")

			status, out, said = called(t.Context(), with("superfluous")...)
			if verb.Args != nil && verb.Args(verb, []string{"superfluous"}) != nil {
				require.Equal(t, exitUsage, status, said)
				require.Empty(t, out)
				require.Contains(t, said, "superfluous")
			}
			require.Equal(t, 1, strings.Count(said, "\n"), "one line: %s", said)
		})
	}
}

// TestStatuses: what is wrong with a command line is found before anything is done.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		status int
		says   string
	}{
		"":                                  {0, ""},
		"help":                              {0, ""},
		"help up":                           {0, ""},
		"version":                           {0, ""},
		"--version":                         {0, ""},
		"completion bash":                   {0, ""},
		"upp":                               {exitUsage, "did you mean up?"},
		"help dctor":                        {exitUsage, "did you mean doctor?"},
		"completion fsh":                    {exitUsage, "there is no relaybox completion fsh"},
		"nothing-like-it":                   {exitUsage, "see relaybox --help"},
		"up --frsh":                         {exitUsage, "did you mean --fresh?"},
		"up --fersh=true":                   {exitUsage, "did you mean --fresh?"},
		"up --addr x":                       {exitUsage, "did you mean --bus-addr?"},
		"--jsn":                             {exitUsage, "see relaybox --help"},
		"up --data":                         {exitUsage, "needs an argument"},
		"demo --writes 0":                   {exitUsage, "--writes 0: it must be at least 1"},
		"demo --writes -5":                  {exitUsage, "--writes -5: it must be at least 1"},
		"demo --rate 5":                     {exitUsage, "--rate is for a run with several instances: add --instances N"},
		"demo --minutes 5":                  {exitUsage, "--minutes is for a run with several instances: add --instances N"},
		"demo --instances 0":                {exitUsage, "--instances 0: it must be at least 1"},
		"demo --instances 65":               {exitUsage, "--instances 65: all run on this machine; it must be at most 64"},
		"demo --instances 2 --writes 5":     {exitUsage, "--writes does not go with --instances"},
		"demo --instances 2 --rate 0":       {exitUsage, "--rate 0: it must be above zero"},
		"demo --instances 2 --rate NaN":     {exitUsage, "--rate NaN: it must be above zero"},
		"demo --instances 2 --minutes -1":   {exitUsage, "--minutes -1: it must be above zero"},
		"demo --instances 2 --minutes 1e-4": {exitUsage, "--rate 20 for --minutes 0.0001 is less than one write: raise either"},
		"demo --instances 2 --minutes 1e9":  {exitUsage, "more than 2000000 writes, which the account would keep in memory: lower either"},
		"demo --writes many":                {exitUsage, "--writes"},
		"bench --rounds 0":                  {exitUsage, "--rounds 0"},
		"bench --workload thorough":         {exitUsage, "thorough"},
		"bench --guard testdata/none":       {exitUsage, "testdata/none"},
		"chaos --minutes 0":                 {exitUsage, "--minutes 0"},
		"chaos --instances 0":               {exitUsage, "--instances 0"},
		"chaos --drain -1s":                 {exitUsage, "--drain -1s"},
		"doctor --timeout 0s":               {exitUsage, "--timeout 0s"},
		"doctor --settings testdata/none":   {exitFailed, ""},
		"deadletters":                       {0, ""},
		"deadletters lst":                   {exitUsage, "did you mean list?"},
		"deadletters lst --settings x":      {exitUsage, "did you mean list?"},
		"deadletters list --max -1":         {exitUsage, "--max -1"},
		"deadletters list --older-than -1s": {exitUsage, "--older-than -1s"},
		"deadletters list --older-than 2h --newer-than 1h": {exitUsage, "leave no dead letter"},
		"events":                                    {0, ""},
		"events skp":                                {exitUsage, "did you mean skip?"},
		"events list --max -1":                      {exitUsage, "--max -1"},
		"events list --pending --all-states":        {exitUsage, "different things"},
		"events list --early --all-states":          {exitUsage, "different things"},
		"events list --early --cause refused":       {exitUsage, "about parked events"},
		"events list --pending --cause large":       {exitUsage, "about parked events"},
		"events show":                               {exitUsage, "a key and a number"},
		"events show profile:ann":                   {exitUsage, "kind:id/3"},
		"events show profile:ann one":               {exitUsage, "kind:id/3"},
		"events redrive":                            {exitUsage, "--type, --older-than, --newer-than), or say --all"},
		"events redrive profile:ann":                {exitUsage, "kind:id/3"},
		"events redrive --yes profile:ann/1":        {exitUsage, "--yes"},
		"events skip --yes":                         {exitUsage, "say --all"},
		"events skip --all profile:ann/1":           {exitUsage, "--all does not go with"},
		"events history --max -1":                   {exitUsage, "--max -1"},
		"deadletters show":                          {exitUsage, "a sequence number or a message id"},
		"deadletters redrive":                       {exitUsage, "say --all"},
		"deadletters drop --yes":                    {exitUsage, "say --all"},
		"deadletters drop --all --kind a":           {exitUsage, "--all does not go with"},
		"deadletters redrive --all --wait 0s":       {exitUsage, "--wait 0s"},
		"assemble --out exit_test.go --os plan9 --": {exitFailed, ""},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			status, _, said := called(t.Context(), strings.Fields(line)...)
			require.Equal(t, want.status, status, said)
			require.Contains(t, said, want.says)
		})
	}
}

func TestExit(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		says   string
	}{
		{t.Context(), nil, 0, ""},
		{interrupted, nil, 0, ""},
		{t.Context(), exitStatus(3), exitUnknown, ""},
		{t.Context(), errors.New("broken"), exitFailed, "relaybox: broken\n"},
		{t.Context(), fmt.Errorf("up: %w", usage("no %s", "such")), exitUsage, "relaybox: up: no such\n"},
		{interrupted, errors.New("signal: killed"), exitInterrupted, "relaybox: interrupted\n"},
		{interrupted, usage("no such"), exitUsage, "relaybox: no such\n"},
	} {
		var said strings.Builder
		require.Equal(t, c.status, exit(c.ctx, c.err, &said))
		require.Equal(t, c.says, said.String())
	}
}

// TestEveryVerbIsDocumented, and every status.
func TestEveryVerbIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	require.NoError(t, err)
	for _, verb := range verbs(t) {
		require.Contains(t, string(text), "`"+verb.CommandPath()+"`")
		if verb.Flags().Lookup("json") != nil {
			require.Regexp(t, `(?m)^\| .`+verb.CommandPath()+". .*--json", string(text))
		}
	}
	for _, status := range []int{0, exitFailed, exitUsage, exitUnknown, exitInterrupted} {
		require.Contains(t, string(text), fmt.Sprintf("\n| %d |", status))
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	status, out, said := called(t.Context(), "version", "--json")
	require.Zero(t, status, said)
	var v version
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.NotEmpty(t, v.Version)
	require.Regexp(t, `^go1\.`, v.Go)
	require.Regexp(t, `^\w+/\w+$`, v.Platform)

	var text strings.Builder
	require.NoError(t, version{Version: "v1.2.3", Commit: "abc", Time: "2026-01-02T03:04:05Z", Modified: true, Go: "go1.26", Platform: "a/b"}.print(&text))
	require.Equal(t, "relaybox v1.2.3\ncommit abc of 2026-01-02T03:04:05Z, modified\ngo1.26 a/b\n", text.String())
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"fresh", "fresh"}: 0, {"frsh", "fresh"}: 1, {"fersh", "fresh"}: 1, {"fresh", "frsh"}: 1,
		{"", "abc"}: 3, {"abc", ""}: 3, {"kitten", "sitting"}: 3, {"bus", "app"}: 3,
	} {
		require.Equal(t, want, distance(pair[0], pair[1]), pair)
	}
}

// TestTidy: a folder stays only if somebody can learn from it.
func TestTidy(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		ctx                context.Context
		keep, began, stays bool
		err                error
	}{
		"good":                   {t.Context(), false, true, false, nil},
		"good, asked for":        {t.Context(), true, true, true, nil},
		"broken":                 {t.Context(), false, true, true, broken},
		"never began":            {t.Context(), false, false, false, broken},
		"interrupted":            {interrupted, false, true, false, broken},
		"interrupted, asked for": {interrupted, true, true, true, broken},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.Mkdir(dir, 0o700))
		var out strings.Builder
		err := tidy(c.ctx, &out, dir, c.keep, c.began, c.err)
		require.Equal(t, c.err != nil, errors.Is(err, broken), name)
		if c.stays {
			require.DirExists(t, dir, name)
			require.Contains(t, out.String(), dir, name)
		} else {
			require.NoDirExists(t, dir, name)
			require.Empty(t, out.String(), name)
		}
	}
}

// TestColours: only on a terminal, and not for whoever does not want them.
func TestColours(t *testing.T) {
	t.Parallel()
	wants := func(pairs map[string]string) func(string) string {
		return func(name string) string { return pairs[name] }
	}
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as terminals are
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, terminal.Close()) })
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })

	require.True(t, coloured(terminal, wants(map[string]string{"TERM": "xterm"})))
	require.False(t, coloured(terminal, wants(map[string]string{"TERM": "xterm", "NO_COLOR": "1"})))
	require.False(t, coloured(terminal, wants(map[string]string{"TERM": "dumb"})))
	require.False(t, coloured(terminal, wants(nil)))
	require.False(t, coloured(file, wants(map[string]string{"TERM": "xterm"})))
	require.False(t, coloured(&strings.Builder{}, wants(map[string]string{"TERM": "xterm"})))
}
