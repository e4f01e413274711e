package doctor

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// widest bounds the column of subjects: one long name must not push all texts away.
const widest = 34

// colours of the terminal for each status; what is fine has none.
var colours = [...]string{OK: "", Warning: "\x1b[33m", Unknown: "\x1b[35m", Refused: "\x1b[31m"}

// Print writes the report: a line per finding, grouped and aligned, and the count. With colour
// the statuses that are not fine stand out.
func (r Report) Print(w io.Writer, colour bool) error {
	width := 0
	for _, g := range r.Groups {
		for _, f := range g.Findings {
			width = max(width, min(widest, utf8.RuneCountInString(f.Subject)))
		}
	}
	var text strings.Builder
	for _, g := range r.Groups {
		if len(g.Findings) == 0 {
			continue
		}
		_, _ = fmt.Fprintf(&text, "%s\n", g.Name)
		for _, f := range g.Findings {
			status := fmt.Sprintf("%-7s", f.Status)
			if colour && colours[f.Status] != "" {
				status = colours[f.Status] + status + "\x1b[0m"
			}
			_, _ = fmt.Fprintf(&text, "  %s  %-*s  %s\n", status, width, oneLine(f.Subject), f.text())
		}
		text.WriteByte('\n')
	}
	_, _ = fmt.Fprintf(&text, "%s\n", r.summary())
	_, err := io.WriteString(w, text.String())
	return err
}

func (f Finding) text() string {
	if f.Remedy == "" {
		return oneLine(f.Found)
	}
	return oneLine(f.Found) + " → " + oneLine(f.Remedy)
}

// oneLine keeps a value of a setting from breaking the layout.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (r Report) summary() string {
	text := fmt.Sprintf("%d ok", r.Count(OK))
	for _, s := range []Status{Warning, Unknown, Refused} {
		if n := r.Count(s); n > 0 {
			text += fmt.Sprintf(", %d %s%s", n, s, map[bool]string{true: "s"}[s == Warning && n > 1])
		}
	}
	switch r.ExitStatus() {
	case 1:
		return text + ": the app would break a promise, or not start, as it is set up"
	case 3:
		return text + ": nothing is refused, but not everything could be checked"
	}
	return text
}

// span is a duration as people write it: 14d, 1h30m, 20s.
func span(d time.Duration) string {
	switch {
	case d == math.MaxInt64:
		return "for ever"
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d == 0:
		return "0s"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
