package minihost

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// scheduleStatus is what is kept of a monitored timer.
type scheduleStatus struct{ Last, Next, LastUpdated time.Time }

// statusStore keeps the status of monitored timers, one file per function.
type statusStore struct {
	dir string

	mu     sync.Mutex
	memory map[string]scheduleStatus
}

func (s *statusStore) path(name string) string {
	return filepath.Join(s.dir, "timers", name+".json")
}

// get returns the stored status, false if there is none that can be read.
func (s *statusStore) get(name string) (scheduleStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		status, ok := s.memory[name]
		return status, ok
	}
	var status scheduleStatus
	text, err := os.ReadFile(s.path(name))
	if err != nil || json.Unmarshal(text, &status) != nil {
		return scheduleStatus{}, false
	}
	return status, true
}

// put replaces the status; a crash leaves the old one or the new one.
func (s *statusStore) put(name string, status scheduleStatus) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		s.memory[name] = status
		return nil
	}
	text, err := json.Marshal(status)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path(name)), 0o755)
	}
	temporary := s.path(name) + ".new"
	if err == nil {
		err = os.WriteFile(temporary, text, 0o644)
	}
	if err == nil {
		err = os.Rename(temporary, s.path(name))
	}
	if err != nil {
		return fmt.Errorf("store the status of timer %s: %w", name, err)
	}
	return nil
}
