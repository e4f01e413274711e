package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/private"
)

// Running is what a stack leaves in its data folder while it runs, for the programs that look
// at it. It is a local.settings.json with more beside the Values.
type Running struct {
	PID     int
	Started time.Time
	// App is the folder that the host runs, absolute; Host and Cosmos are URLs, Bus and
	// BusAdmin host:port. Parts that do not run are empty.
	App                         string `json:",omitempty"`
	Host, Cosmos, Bus, BusAdmin string `json:",omitempty"`
	// Page is the URL of a page that shows the stack: Config.Page.
	Page string `json:",omitempty"`
	// Values are the application settings that the host runs with, as far as Config.Leave
	// lets them be written down.
	Values map[string]string
}

// runningFile is the name of Running in the data folder.
const runningFile = "running.json"

// knock is how long a part that runs may take to be reached.
const knock = time.Second

// FindRunning returns what the stack on a data folder has left there. ErrNotRunning if there is
// none, or if nothing answers where it says: one that was killed leaves its last state.
func FindRunning(data string) (Running, error) {
	var r Running
	file := filepath.Join(data, runningFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return r, fmt.Errorf("%s: %w", data, ErrNotRunning)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	for _, addr := range []string{hostOf(r.Host), hostOf(r.Cosmos), r.Bus} {
		if addr == "" {
			continue
		}
		if conn, err := net.DialTimeout("tcp", addr, knock); err == nil {
			return r, conn.Close()
		}
	}
	return r, fmt.Errorf("%s: %w", data, ErrNotRunning)
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// leave writes down what runs; it is removed when the stack is closed.
func (s *Stack) leave() error {
	if s.cfg.Data == "" {
		return nil
	}
	r := Running{
		PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Second),
		Host: s.HostURL, Cosmos: s.CosmosURL, Bus: s.BusAddr, BusAdmin: s.BusAdminAddr, Page: s.cfg.Page, Values: map[string]string{},
	}
	if s.HostURL != "" {
		var err error
		if r.App, err = filepath.Abs(s.cfg.App); err != nil {
			return err
		}
	}
	for name, value := range s.Settings {
		if value != "" && s.leaves(name) {
			r.Values[name] = value
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(s.cfg.Data, runningFile)
	if err := os.WriteFile(file+".new", append(text, '\n'), private.File); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil { // nobody reads half of it
		return err
	}
	s.closer = append(s.closer, func() error { return os.Remove(file) })
	return nil
}

// leaves says whether a setting is written down. Settings may hold all of an environment, which
// is nobody's business.
func (s *Stack) leaves(name string) bool {
	if _, own := Defaults()[name]; own {
		return true
	}
	if _, own := streamDefaults()[name]; s.StreamURL != "" && (own || name == "NATS_URL") {
		return true
	}
	for _, connection := range []string{"COSMOS_CONNECTION", "SERVICEBUS_CONNECTION"} {
		if name == connection || strings.HasPrefix(name, connection+"__") {
			return true
		}
	}
	return s.cfg.Leave != nil && s.cfg.Leave(name)
}
