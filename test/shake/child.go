package shake

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/selfsigned"
)

const (
	childDir    = "SHAKE_DIR" // set where the test binary is to be a server
	childRanges = "SHAKE_RANGES"
	childTLS    = "SHAKE_TLS"
)

// child is how the servers on a folder are started.
type child struct {
	dir    string
	ranges int
	tls    bool
}

// process is one of them.
type process struct {
	cmd *exec.Cmd
	at  *url.URL
}

// start starts the test binary as a server.
func (c child) start() (*process, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+c.dir, childRanges+"="+strconv.Itoa(c.ranges), childTLS+"="+strconv.FormatBool(c.tls))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		p.at, err = url.Parse(strings.TrimSpace(line))
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("the server does not start: %w", err)
	}
	return p, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be dead already
	_ = p.cmd.Wait()         // "signal: killed"
}

// Main is for TestMain: it runs the tests, or is a server of theirs.
func Main(m *testing.M) int {
	dir := os.Getenv(childDir)
	if dir == "" {
		return m.Run()
	}
	fmt.Fprintln(os.Stderr, serve(dir))
	return 1
}

func serve(dir string) error {
	ranges, err := strconv.Atoi(os.Getenv(childRanges))
	if err != nil {
		return err
	}
	s, err := minicosmos.Open(minicosmos.Options{Dir: dir, Ranges: ranges})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if os.Getenv(childTLS) != "true" {
		fmt.Printf("http://%s\n", l.Addr())
		return s.Serve(l)
	}
	certificate, err := selfsigned.Certificate("minicosmos")
	if err != nil {
		return err
	}
	fmt.Printf("https://%s\n", l.Addr())
	return s.ServeTLS(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
}
