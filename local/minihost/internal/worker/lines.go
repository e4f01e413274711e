package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// maxLine bounds one line of output; a longer one is cut into several.
const maxLine = 64 << 10

// lines carries the handler's output to the log, line by line, and remembers
// the last errors for the message about its exit.
type lines struct {
	log        *slog.Logger
	raw        io.Writer // instead of the log, if not nil
	stderrOnly bool

	mu   sync.Mutex
	last []string // of stderr, at most lastErrors
}

const (
	lastErrors    = 3
	consolePrefix = "LanguageWorkerConsoleLog"
)

// copy reads until the stream ends.
func (l *lines) copy(stream io.Reader, stderr bool) {
	r := bufio.NewReaderSize(stream, maxLine)
	for {
		line, _, err := r.ReadLine()
		if err != nil {
			return
		}
		l.line(string(line), stderr)
	}
}

func (l *lines) line(text string, stderr bool) {
	text, _ = strings.CutPrefix(text, consolePrefix)
	level := slog.LevelInfo
	if stderr {
		level = l.level(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if level == slog.LevelError {
		l.last = append(l.last, text)
		l.last = l.last[max(0, len(l.last)-lastErrors):]
	}
	if l.raw != nil {
		_, _ = fmt.Fprintln(l.raw, text)
		return
	}
	l.log.Log(context.Background(), level, text, "category", "Host.Function.Console")
}

// level judges a line of stderr (reference §2.3).
func (l *lines) level(text string) slog.Level {
	low := strings.ToLower(text)
	if l.stderrOnly {
		if strings.Contains(low, "warn") {
			return slog.LevelWarn
		}
		return slog.LevelError
	}
	for _, word := range []string{"error", "fail", "severe", "unhandled exception"} {
		if strings.Contains(low, word) {
			return slog.LevelError
		}
	}
	return slog.LevelInfo
}

// take returns the remembered errors and forgets them.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.last, "\n")
	l.last = nil
	return text
}
