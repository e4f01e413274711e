package stack

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
)

// RunT starts a stack for a test, in memory and on free ports unless options say
// otherwise, and closes it in the test's Cleanup, where a part that failed fails the
// test. Without an App it assembles the source tree that the test belongs to; a package
// with many such tests assembles once, in TestMain, and names the folder.
func RunT(t testing.TB, options ...func(*Config)) *Stack {
	t.Helper()
	cfg := Config{
		Logger:        slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		HandlerOutput: t.Output(),
	}
	for _, option := range options {
		option(&cfg)
	}
	if cfg.App == "" && cfg.runs(Host) {
		cfg.App = assembleT(t)
	}
	s, err := Start(cfg)
	if err != nil {
		t.Fatalf("start the stack: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Err()); err != nil {
			t.Errorf("the stack failed: %v", err)
		}
	})
	return s
}

func assembleT(t testing.TB) string {
	t.Helper()
	source, err := FindSource(".")
	if err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(t.TempDir(), "app")
	if err := Assemble(t.Context(), Build{Source: source}, app); err != nil {
		t.Fatal(err)
	}
	return app
}
