package chaos

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
)

// rebirth is how long a process stays away when nobody has killed it.
const rebirth = 100 * time.Millisecond

// process is a relaybox up of one part, which is started again whenever it ends.
type process struct {
	name string
	data string // its data folder
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
	said    chan struct{}     // closed and made anew with each fact
	crashes int
}

func newProcess(name string, log io.Writer, note func(string, ...any), cmd func(ctx context.Context) *exec.Cmd) *process {
	return &process{name: name, cmd: cmd, log: log, note: note, facts: map[string]string{}, said: make(chan struct{})}
}

// run keeps the process alive until ctx ends, which kills it.
func (p *process) run(ctx context.Context) {
	// The death signal is tied to the thread that starts the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for ctx.Err() == nil {
		err := p.once(ctx)
		p.mu.Lock()
		pause, wanted := p.pause, p.wanted || p.excused
		p.running, p.handler, p.pause, p.wanted = nil, 0, rebirth, false
		clear(p.facts)
		if !wanted && ctx.Err() == nil {
			p.crashes++
		}
		p.mu.Unlock()
		if !wanted && ctx.Err() == nil {
			p.note("%s ended by itself: %v; its log has the reason", p.name, err)
		}
		sleep(ctx, pause)
	}
}

// once runs it to its end.
func (p *process) once(ctx context.Context) error {
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

func (p *process) read(line string) {
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

// fact is what the running process has said; "" if it has not, or there is none.
func (p *process) fact(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.facts[name]
}

// await waits until the process has said something.
func (p *process) await(ctx context.Context, name string) (string, error) {
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
			return "", fmt.Errorf("%s does not start: %w", p.name, context.Cause(ctx))
		}
	}
}

// errAbsent: the process is not there at the moment.
var errAbsent = errors.New("it is not running")

// kill ends the process as a power cut would; it comes back after the pause.
func (p *process) kill(pause time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return errAbsent
	}
	p.pause, p.wanted = pause, true
	return p.running.Kill()
}

// excuse lets it end without being blamed, or no longer.
func (p *process) excuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused = yes
}

// freeze stops the process and its handler, but for its memory and its sockets; thaw lets
// them go on.
func (p *process) freeze() error { return p.signal(stop, true) }

func (p *process) thaw() error { return p.signal(resume, true) }

// signal is for the process, and for its handler too if whole.
func (p *process) signal(s os.Signal, whole bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return errAbsent
	}
	if whole {
		_ = p.toHandler(s) // it may have none just now
	}
	return p.running.Signal(s)
}

// signalHandler is for the handler alone.
func (p *process) signalHandler(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.toHandler(s)
}

// toHandler needs mu. A process id is used only while it is a child of the host: another
// process may have it by now.
func (p *process) toHandler(s os.Signal) error {
	if p.running == nil || p.handler == 0 || parent(p.handler) != p.running.Pid {
		return errAbsent
	}
	handler, err := os.FindProcess(p.handler)
	if err != nil {
		return err
	}
	return handler.Signal(s)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
