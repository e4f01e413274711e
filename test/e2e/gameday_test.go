package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
)

// runbook is the page with the game day, and gameDay its chapter.
const (
	runbook = "docs/operate.md"
	gameDay = "## A game day\n"
)

// chapter is one thing that goes wrong, and the commands of its blocks.
type chapter struct {
	title  string
	blocks [][]typed
}

// typed is a command of the page with the lines that are to be seen then.
type typed struct {
	command string
	shows   []string
}

// chapters takes the game day apart.
func chapters(t *testing.T) (all []chapter) {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(runbook)))
	require.NoError(t, err)
	_, day, found := strings.Cut(string(page), gameDay)
	require.True(t, found, "%s has no game day", runbook)
	day, _, _ = strings.Cut(day, "\n## ")
	for part := range strings.SplitSeq(day, "\n### ") {
		title, text, _ := strings.Cut(part, "\n")
		c := chapter{title: title}
		for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
			var commands []typed
			for line := range strings.Lines(block[1]) {
				line = strings.TrimSpace(line)
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					commands = append(commands, typed{command: command})
					continue
				}
				require.NotEmpty(t, commands, "%s: a block begins with its command", title)
				last := &commands[len(commands)-1]
				last.shows = append(last.shows, line)
			}
			c.blocks = append(c.blocks, commands)
		}
		if len(c.blocks) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// operator is somebody with the page, a terminal and the app's settings.
type operator struct {
	*system
	dir string // has settings.json and the program
}

func (s *system) operator() *operator {
	file, err := program()
	require.NoError(s.t, err)
	o := &operator{s, s.t.(*testing.T).TempDir()}
	require.NoError(s.t, os.Symlink(file, filepath.Join(o.dir, "relaybox")))
	return o
}

// does types a command until the page's lines are to be seen, in their order; what changes
// something is typed once.
func (o *operator) does(c typed) {
	o.t.Helper()
	text, err := json.Marshal(map[string]any{"Values": o.Settings})
	require.NoError(o.t, err)
	require.NoError(o.t, os.WriteFile(filepath.Join(o.dir, "settings.json"), text, 0o600))
	looks := regexp.MustCompile(`^relaybox (status|pause --list|\w+ (list|show|history))\b`).MatchString(c.command)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		cmd := exec.CommandContext(o.t.Context(), "sh", "-c", c.command)
		cmd.Dir, cmd.Env = o.dir, append(os.Environ(), "PATH="+o.dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		require.NotNil(o.t, cmd.ProcessState, "%v", err)
		missing := unseen(c.shows, string(out))
		red := strings.Contains(string(out), "\nRED: ")
		if missing == "" && cmd.ProcessState.ExitCode() == map[bool]int{true: 1}[red] {
			return
		}
		if !looks || time.Now().After(deadline) {
			o.t.Fatalf("%s\nshows no line %q, exit status %d:\n%s", c.command, missing, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// unseen is the first of the page's lines that the output does not have behind the one before.
func unseen(shows []string, out string) string {
	lines := strings.Split(out, "\n")
	for _, want := range shows {
		words := strings.Fields(want)
		for i, w := range words {
			words[i] = strings.ReplaceAll(regexp.QuoteMeta(w), "…", ".*")
		}
		pattern := regexp.MustCompile(`^\s*` + strings.Join(words, `\s+`) + `\s*$`)
		for len(lines) > 0 && !pattern.MatchString(lines[0]) {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			return want
		}
	}
	return ""
}

// fault has the broker do something with what is sent, of some sessions or of all.
func (s *system) fault(f minibus.Fault) {
	f.Entity, f.On = s.Settings["EVENTS_TOPIC"], minibus.OnSend
	require.NoError(s.t, s.Bus.Inject(f))
}

// refuseAll has the broker refuse what is sent for these sessions.
func (s *system) refuseAll(sessions string) {
	s.fault(minibus.Fault{Do: minibus.Refuse, Condition: "amqp:not-allowed", Text: "this one is not welcome", Session: sessions})
}

// TestGameDay does to the app what the page describes, while clients write, and mends it with the
// page's commands only. In the end every event has been at the topic and has had its effect, once
// and in order.
func TestGameDay(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	keep := func(c *stack.Config) { c.Data = data }
	brief := func(c *stack.Config) { c.Topology.Topics[0].Subscriptions[0].MaxDeliveryCount = 4 } // a poison's end comes soon
	s := start(t, witnessed, keep, brief)
	o := s.operator()
	work := func() (stop func()) {
		stop = s.write(3, func(client, n int) string { return fmt.Sprintf("well-%d-%d", client, n%20) })
		t.Cleanup(stop)
		return stop
	}
	stop := work()

	// What is done before each block of a chapter.
	incidents := map[string][]func(){
		"The broker is away": {
			func() { s.fault(minibus.Fault{Do: minibus.Busy}) },
			s.Bus.ClearFaults,
		},
		"A message that nobody can read": {
			func() { s.send("nobody", "poison", []byte("no event")) },
			func() {},
		},
		"Events that the broker refuses": {
			func() {
				s.refuseAll("profile:bad-*")
				for n := range 6 {
					s.put(fmt.Sprint("bad-", n%3), fmt.Sprint("Name ", n))
				}
			},
			s.Bus.ClearFaults,
		},
		"One that can never go out": {
			func() {
				s.refuseAll("profile:never")
				s.put("never", "broken")
				s.put("never", "sound")
			},
			s.Bus.ClearFaults, // it is of the session that is refused; the marker is, too
		},
		"A kind is held back": {func() {}, func() {}},
		"An instance that hangs": {
			func() {
				s.eventually(func() bool {
					require.NoError(t, syscall.Kill(s.HandlerPID(), syscall.SIGSTOP))
					time.Sleep(50 * time.Millisecond) // what it has asked of the store is done by now
					if s.pending() > 0 {
						return true
					}
					require.NoError(t, syscall.Kill(s.HandlerPID(), syscall.SIGCONT))
					return false
				}, "it hangs with an event that it has committed and not sent")
			},
			s.killHandler,
		},
		"A release that can apply nothing": {
			func() {
				stop()
				s.eventually(func() bool { return s.pending() == 0 && s.Bus.Counts(s.subscription()).Active == 0 }, "all is applied")
				require.NoError(t, s.Close())
				s.run(t, witnessed, keep, brief, func(c *stack.Config) { c.Settings["AzureWebJobs.ConsumeEvent.Disabled"] = "true" })
				for n := range 12 {
					s.put(fmt.Sprint("dead-", n%3), fmt.Sprint("Name ", n))
				}
				s.eventually(func() bool { return s.Bus.Counts(s.subscription()).Active == 12 }, "all is in the subscription")
				s.refuse(12)
			},
			func() {
				require.NoError(t, s.Close())
				s.run(t, witnessed, keep, brief)
				stop = work()
			},
		},
	}
	page := chapters(t)
	require.Len(t, page, len(incidents))
	for _, c := range page {
		before := incidents[c.title]
		require.Len(t, c.blocks, len(before), "the blocks of %q", c.title)
		for n, block := range c.blocks {
			before[n]()
			for _, command := range block {
				began := time.Now()
				o.does(command)
				t.Logf("%s: %s: %v", c.title, command.command, time.Since(began).Round(time.Millisecond))
			}
		}
	}
	stop()
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
	s.arrived("profile:never")
}
