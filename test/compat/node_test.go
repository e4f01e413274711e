package compat_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServiceBusJS: the unmodified @azure/service-bus, Microsoft's client for JavaScript, works with minibus as with
// Service Bus.
func TestServiceBusJS(t *testing.T) {
	t.Parallel()
	scripts(t, "@azure/service-bus", "servicebus_*.mjs")
}

// TestRhea: rhea speaks plain AMQP 1.0, without knowing of Service Bus.
func TestRhea(t *testing.T) {
	t.Parallel()
	scripts(t, "rhea", "rhea_*.mjs")
}

// TestServiceBusJSIsHarmed: the cases of TestServiceBusJS end as in peace, when the broker is killed or cut off between two
// calls of the client.
func TestServiceBusJSIsHarmed(t *testing.T) {
	t.Parallel()
	modules(t, "@azure/service-bus")
	files, err := filepath.Glob(filepath.Join("scripts", "servicebus_*.mjs"))
	require.NoError(t, err)
	harmed(t, func(file string) []string { return []string{"node", file} }, files, sparedJS)
}

// TestRheaIsHarmed: the same for the cases of TestRhea, which connects and attaches again by hand.
func TestRheaIsHarmed(t *testing.T) {
	t.Parallel()
	modules(t, "rhea")
	files, err := filepath.Glob(filepath.Join("scripts", "rhea_*.mjs"))
	require.NoError(t, err)
	harmed(t, func(file string) []string { return []string{"node", file} }, files, sparedRhea)
}

// scripts runs every script of a client.
func scripts(t *testing.T, client, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("scripts", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	modules(t, client)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runScript(t, "node", file)
		})
	}
}
