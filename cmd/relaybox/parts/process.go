package parts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// rebirth is how long a process stays away when nobody has killed it.
const rebirth = 100 * time.Millisecond

// Process is a relaybox up of one part, which is started again whenever it ends.
type Process struct {
	// Name is for people; Data is its data folder.
	Name, Data string

	cmd  func(ctx context.Context) *exec.Cmd
	log  io.Writer
	note func(format string, args ...any)

	mu      sync.Mutex        // guards what follows
	running *os.Process       // nil while there is none
	handler int               // pid of the handler below a host
	facts   map[string]string // what it has printed since it started
	pause   time.Duration     // before the next start
	wanted  bool              // its next end is our doing
	excused bool              // it may end: its disk is full
	leaves  bool              // it does not come back
	said    chan struct{}     // closed and made anew with each fact
	crashes int
}

// Crashes counts the ends that nobody had asked for.
func (p *Process) Crashes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashes
}

// PIDs are those of the process and of the handler below it; 0 for one that is not there.
func (p *Process) PIDs() (own, handler int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		own = p.running.Pid
	}
	return own, p.handler
}

// New is a process that is not started yet: Run does that. Its output goes to log, what
// happens to it to note.
func New(name string, log io.Writer, note func(string, ...any), cmd func(ctx context.Context) *exec.Cmd) *Process {
	return &Process{Name: name, cmd: cmd, log: log, note: note, facts: map[string]string{}, said: make(chan struct{})}
}

// Run keeps the process alive until ctx ends, which kills it, or it has left.
func (p *Process) Run(ctx context.Context) {
	// The death signal is tied to the thread that starts the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for ctx.Err() == nil {
		err := p.once(ctx)
		p.mu.Lock()
		pause, wanted := p.pause, p.wanted || p.excused && len(p.facts) == 0
		p.running, p.handler, p.pause, p.wanted = nil, 0, rebirth, false
		clear(p.facts)
		if !wanted && ctx.Err() == nil {
			p.crashes++
		}
		leaves := p.leaves
		p.mu.Unlock()
		if leaves {
			return
		}
		if !wanted && ctx.Err() == nil {
			p.note("%s ended by itself: %v; its log has the reason", p.Name, err)
		}
		_ = pace.Sleep(ctx, pause) // the loop sees its end
	}
}

// once runs it to its end.
func (p *Process) once(ctx context.Context) error {
	cmd := p.cmd(ctx)
	bind(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	p.running = cmd.Process
	p.mu.Unlock()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.read(lines.Text())
		_, _ = fmt.Fprintln(p.log, lines.Text()) // it is for people
	}
	return cmd.Wait()
}

// told are the facts that a relaybox up prints.
var told = map[string]*regexp.Regexp{
	"cosmos":  regexp.MustCompile(`^COSMOS_CONNECTION=(.*)$`),
	"bus":     regexp.MustCompile(`^SERVICEBUS_CONNECTION=(.*)$`),
	"admin":   regexp.MustCompile(`^bus administration: http://([^ ]*) `),
	"host":    regexp.MustCompile(`^ +[A-Za-z]+: \[[^ ]*\] (http://[^/]*)/`),
	"handler": regexp.MustCompile(`"msg":"handler listens".*"pid":([0-9]+)`),
}

func (p *Process) read(line string) {
	for name, fact := range told {
		found := fact.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		p.mu.Lock()
		p.facts[name] = found[1]
		if name == "handler" {
			p.handler, _ = strconv.Atoi(found[1])
		}
		close(p.said)
		p.said = make(chan struct{})
		p.mu.Unlock()
	}
}

// Fact is what the running process has said; "" if it has not, or there is none.
func (p *Process) Fact(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.facts[name]
}

// Await waits until the process has said something.
func (p *Process) Await(ctx context.Context, name string) (string, error) {
	for {
		p.mu.Lock()
		fact, said := p.facts[name], p.said
		p.mu.Unlock()
		if fact != "" {
			return fact, nil
		}
		select {
		case <-said:
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not start: %w", p.Name, context.Cause(ctx))
		}
	}
}

// ErrAbsent: the process is not there at the moment.
var ErrAbsent = errors.New("it is not running")

// Kill ends the process as a power cut would; it comes back after the pause.
func (p *Process) Kill(pause time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return ErrAbsent
	}
	p.pause, p.wanted = pause, true
	return p.running.Kill()
}

// Leave asks the process to finish what it does and to end; it does not come back.
func (p *Process) Leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return ErrAbsent
	}
	p.leaves, p.wanted = true, true
	return p.running.Signal(os.Interrupt)
}

// Excuse lets it end before it has said anything without being blamed, or no longer: it cannot start.
func (p *Process) Excuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused = yes
}

// Freeze stops the process and its handler, but for its memory and its sockets.
func (p *Process) Freeze() error { return p.signal(Stop, true) }

// Thaw lets them go on.
func (p *Process) Thaw() error { return p.signal(Resume, true) }

// signal is for the process, and for its handler too if whole.
func (p *Process) signal(s os.Signal, whole bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return ErrAbsent
	}
	if whole {
		_ = p.toHandler(s) // it may have none just now
	}
	return p.running.Signal(s)
}

// SignalHandler is for the handler alone.
func (p *Process) SignalHandler(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.toHandler(s)
}

// toHandler needs mu. A process id is used only while it is a child of the host: another
// process may have it by now.
func (p *Process) toHandler(s os.Signal) error {
	if p.running == nil || p.handler == 0 || parent(p.handler) != p.running.Pid {
		return ErrAbsent
	}
	handler, err := os.FindProcess(p.handler)
	if err != nil {
		return err
	}
	return handler.Signal(s)
}
