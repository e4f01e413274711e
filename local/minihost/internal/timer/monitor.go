package timer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Status is what is kept of a monitored timer.
type Status struct{ Last, Next, LastUpdated time.Time }

// Store keeps the status of monitored timers, one file per function.
type Store struct {
	dir string

	mu     sync.Mutex
	memory map[string]Status // instead of files, if dir is ""
}

// NewStore keeps the status in files below dir, in memory if dir is "".
func NewStore(dir string) *Store {
	return &Store{dir: dir, memory: map[string]Status{}}
}

func (s *Store) path(name string) string {
	return filepath.Join(s.dir, "timers", name+".json")
}

// Get returns the stored status, false if there is none that can be read.
func (s *Store) Get(name string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		status, ok := s.memory[name]
		return status, ok
	}
	var status Status
	text, err := os.ReadFile(s.path(name))
	if err != nil || json.Unmarshal(text, &status) != nil {
		return Status{}, false
	}
	return status, true
}

// put replaces the status; a crash leaves the old one or the new one.
func (s *Store) put(name string, status Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		s.memory[name] = status
		return nil
	}
	text, err := json.Marshal(status)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path(name)), 0o700)
	}
	temporary := s.path(name) + ".new"
	if err == nil {
		err = os.WriteFile(temporary, text, 0o600)
	}
	if err == nil {
		err = os.Rename(temporary, s.path(name))
	}
	if err != nil {
		return fmt.Errorf("store the status of timer %s: %w", name, err)
	}
	return nil
}
