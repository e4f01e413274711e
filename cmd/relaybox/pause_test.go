package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestPauseAndResume against a store: what is said, what stands, and what is recorded.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"pause", "--list"}, "no pauses\n"},
		{[]string{"pause", "--kind", "profile", "--reason", "a subscriber is mended"}, "kind profile: paused\n"},
		{[]string{"pause", "--kind", "profile"}, "kind profile: was paused before: that pause stands\n"},
		{[]string{"pause", "--key", "profile:k1"}, "profile:k1: paused\n"},
		{[]string{"resume", "--all"}, "everything: was not paused\n"},
		{[]string{"resume", "--kind", "profile"}, "kind profile: resumed\n"},
	} {
		status, out, said := called(t.Context(), append(step.args, "--settings", l.settings)...)
		require.Zero(t, status, said)
		require.Equal(t, step.says, out)
	}
	status, out, said := called(t.Context(), "pause", "--list", "--json", "--settings", l.settings)
	require.Zero(t, status, said)
	var listed struct{ Pauses []outbox.Halt }
	require.NoError(t, json.Unmarshal([]byte(out), &listed), out)
	require.Len(t, listed.Pauses, 1)
	require.Equal(t, "profile:k1", listed.Pauses[0].Name)

	status, out, said = called(t.Context(), "events", "history", "--settings", l.settings)
	require.Zero(t, status, said)
	for _, part := range []string{"resume", "kind profile", "profile:k1", "a subscriber is mended", "3 acts"} {
		require.Contains(t, out, part)
	}
}

// TestWhatIsPausedMustBeSaid, once.
func TestWhatIsPausedMustBeSaid(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"pause", "resume"} {
		for _, args := range [][]string{{}, {"--all", "--kind", "x"}, {"--kind", "x", "--key", "x:1"}, {"--key", "x"}, {"--key", ":x"}} {
			status, out, said := called(t.Context(), append([]string{verb}, args...)...)
			require.Equal(t, exitUsage, status, args)
			require.Empty(t, out)
			require.Contains(t, said, "--key")
		}
	}
	status, _, said := called(t.Context(), "pause", "--list", "--kind", "x")
	require.Equal(t, exitUsage, status)
	require.Contains(t, said, "--list")
}

// TestEventsOfPausedKeys: whoever mends them is told why they do not go out.
func TestEventsOfPausedKeys(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.park("profile:k1", 0, tooLarge)
	l.park("order:7", 0, refused)
	for _, scope := range []string{"--kind", "--key"} {
		status, _, said := called(t.Context(), "pause", scope, map[string]string{"--kind": "order", "--key": "profile:k2"}[scope], "--author", "ann", "--reason", "wait", "--settings", l.settings)
		require.Zero(t, status, said)
	}
	_, out, _ := l.call("show order:7/1")
	require.Regexp(t, `(?m)^paused +kind order, by ann: wait$`, out)
	_, out, _ = l.call("show profile:k1/1")
	require.NotContains(t, out, "paused")
	status, out, said := l.call("redrive --all")
	require.Zero(t, status)
	require.Equal(t, "2 redriven\n", out)
	require.Equal(t, "1 event of paused keys: sent after relaybox resume (relaybox pause --list)\n", said)
}
