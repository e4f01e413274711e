// Package azsuite runs the emulator tests of Azure's own SDK for Go, unchanged but for the address, against minicosmos.
package azsuite

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/selfsigned"
	"github.com/relaybox/relaybox/test/shake"
)

const (
	module  = "github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	address = "localhost:8081" // where the tests expect an emulator
	tests   = 43               // in the files emulator_*_test.go
	atLeast = 38               // of them pass
)

// notPassing are the tests that do not pass, and why.
var notPassing = map[string]string{
	"TestGlobalEndpointManagerEmulator": "it expects the account to call itself 127.0.0.1, whatever name it was asked under",
	"TestItemIdEncodingComputeGW":       "it asks another gateway, on port 8903",
}

var (
	testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	passed   = regexp.MustCompile(`(?m)^--- PASS: (\w+)`)
)

func TestMain(m *testing.M) { os.Exit(shake.Main(m)) }

// TestAzureSuite runs each test of the SDK against a server of its own, in peace and while it is
// shaken. A test is counted once it passes in all ways.
func TestAzureSuite(t *testing.T) {
	if os.Getenv("AZCOSMOS_SUITE") == "" {
		t.Skip("AZCOSMOS_SUITE is not set: the tests of the SDK need modules that this one does not")
	}
	s := build(t)
	ways := shake.Ways()
	ways["peace"] = shake.Way{}
	failed, harm := map[string]bool{}, map[string]int{}
	for how, way := range ways {
		for _, name := range s.names {
			t.Run(name+", "+how, func(t *testing.T) {
				reason, known := notPassing[name]
				if known && how != "peace" {
					t.Skip(reason)
				}
				server := s.serve(t, way)
				out, passes := s.run(t, name)
				_, times := server.Harm(t)
				for _, n := range times {
					harm[how] += n
				}
				failed[name] = failed[name] || !passes
				switch {
				case passes && known:
					t.Errorf("it passes now: take it off the list (%s)", reason)
				case passes:
				case !known:
					t.Error(out)
				default:
					t.Skip(reason)
				}
			})
		}
	}
	ok := 0
	for _, bad := range failed {
		if !bad {
			ok++
		}
	}
	t.Logf("%d of %d tests of azcosmos pass, harm: %v", ok, len(s.names), harm)
	require.GreaterOrEqual(t, ok, atLeast)
	for how := range shake.Ways() {
		require.Greater(t, harm[how], 5, how)
	}
}

// suite is the SDK's tests, built.
type suite struct {
	dir, binary, trusted string
	names                []string
	port                 int
	certificate          tls.Certificate
}

func build(t *testing.T) (s suite) {
	t.Helper()
	var err error
	s.certificate, err = selfsigned.Certificate("minicosmos")
	require.NoError(t, err)
	s.trusted = filepath.Join(t.TempDir(), "cosmos.pem")
	require.NoError(t, os.WriteFile(s.trusted, selfsigned.PEM(s.certificate), 0o600))
	free, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	s.port = free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())
	s.dir, s.names = checkout(t, fmt.Sprintf("localhost:%d", s.port))
	require.Len(t, s.names, tests, "the SDK has other tests now")
	s.binary = filepath.Join(s.dir, "azcosmos.test")
	goCommand(t, s.dir, "test", "-c", "-o", s.binary, ".")
	return s
}

// serve starts a server where the tests expect one.
func (s suite) serve(t *testing.T, way shake.Way) *shake.Server {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", s.port))
	require.NoError(t, err)
	return shake.Start(t, way, 1, l, &s.certificate)
}

// run runs one of the tests.
func (s suite) run(t *testing.T, name string) (out string, passes bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, "-test.v", "-test.run", "^"+name+"$")
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "EMULATOR=true", "SSL_CERT_FILE="+s.trusted)
	text, err := cmd.CombinedOutput()
	ran := slices.ContainsFunc(passed.FindAllStringSubmatch(string(text), -1), func(m []string) bool { return m[1] == name })
	return fmt.Sprintf("%v\n%s", err, text), err == nil && ran
}

// checkout copies the SDK out of the module cache, with another address in its tests, and lists its emulator tests.
func checkout(t *testing.T, at string) (dir string, names []string) {
	t.Helper()
	source := strings.TrimSpace(goCommand(t, ".", "list", "-m", "-f", "{{.Dir}}", module))
	dir = t.TempDir()
	require.NoError(t, filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, path)
		if err != nil || d.IsDir() {
			return os.MkdirAll(filepath.Join(dir, inside), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if base := filepath.Base(path); strings.HasPrefix(base, "emulator_") && strings.HasSuffix(base, "_test.go") {
			for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
			text = []byte(strings.ReplaceAll(string(text), address, at))
		}
		return os.WriteFile(filepath.Join(dir, inside), text, 0o600)
	}))
	return dir, names
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(t, err, said.String())
	return string(out)
}
