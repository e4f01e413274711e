package request

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

// maxTraceState is what every system on the way has to carry (Trace Context §3.3.1.5).
const maxTraceState = 512

var (
	// traceParent: version, trace id, parent id, flags, and what a later version may
	// add (Trace Context §3.2).
	traceParent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)
	// traceEntry: one list member of tracestate (Trace Context §3.3.1).
	traceEntry = regexp.MustCompile(`^([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})` +
		`=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$`)
)

// Trace is the W3C trace context that the request belongs to. A malformed one is not passed on:
// a new trace begins here, so that every event has exactly one.
func Trace(h http.Header) outbox.Trace {
	lines := h.Values("traceparent")
	if len(lines) != 1 {
		return newTrace()
	}
	parent, ok := parseTraceParent(strings.Trim(lines[0], " \t"))
	if !ok {
		return newTrace()
	}
	return outbox.Trace{Parent: parent, State: parseTraceState(h.Values("tracestate"))}
}

// parseTraceParent returns the parent in version 00, which is how a later version is
// to be passed on by one that does not know it.
func parseTraceParent(s string) (string, bool) {
	part := traceParent.FindStringSubmatch(s)
	if part == nil {
		return "", false
	}
	version, traceID, parentID, flags, more := part[1], part[2], part[3], part[4], part[5]
	if version == "ff" || version == "00" && more != "" || strings.Trim(traceID, "0") == "" || strings.Trim(parentID, "0") == "" {
		return "", false
	}
	return fmt.Sprintf("00-%s-%s-%s", traceID, parentID, flags), true
}

// parseTraceState returns the state in one line, "" when any of it is malformed.
func parseTraceState(lines []string) string {
	var kept []string
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if entry = strings.Trim(entry, " \t"); entry == "" {
			continue
		}
		part := traceEntry.FindStringSubmatch(entry)
		if part == nil || seen[part[1]] || len(kept) == 32 {
			return ""
		}
		seen[part[1]] = true
		kept = append(kept, entry)
	}
	state := strings.Join(kept, ",")
	if len(state) > maxTraceState {
		return ""
	}
	return state
}

// newTrace begins a trace, marked as sampled: nobody upstream decided against it.
func newTrace() outbox.Trace {
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails
	return outbox.Trace{Parent: fmt.Sprintf("00-%x-%x-01", id[:16], id[16:])}
}
