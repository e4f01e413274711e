// Package compat_test runs other people's programs against ours. What they are found by
// is named in the environment; .ci/run installs them.
package compat_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/storage"
)

// azuriteKey is the public key of Azurite's only account.
const azuriteKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// needsAzurite is the program that AZURITE names; without one the test is skipped.
func needsAzurite(t *testing.T) string {
	t.Helper()
	program := os.Getenv("AZURITE")
	if program == "" {
		t.Skip("AZURITE does not name an azurite-blob: npm install azurite")
	}
	return program
}

// accountAt is the connection string of Azurite's account at url.
func accountAt(url, key string) string {
	return "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=" + key + ";BlobEndpoint=" + url + "/devstoreaccount1;"
}

// azurite starts Microsoft's storage emulator and returns its address and a stop.
func azurite(t *testing.T) (url string, stop func()) {
	t.Helper()
	program := needsAzurite(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for the whole test, should it hang
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, "--blobPort", "0", "--skipApiVersionCheck", "--location", t.TempDir(), "--disableTelemetry") //nolint:gosec // the tester's own program
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	listening := regexp.MustCompile(`successfully listen\w* \w+ (http://\S+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() { // an emulator that cannot print stops
				}
			}()
			return m[1], stop
		}
	}
	t.Fatal("azurite ended before it listened")
	return "", nil
}

// TestStorageOfTheHost: what doctor asks of AzureWebJobsStorage, asked of a real blob
// service: one that lets us in, one that does not know our key, and one that is gone.
func TestStorageOfTheHost(t *testing.T) {
	t.Parallel()
	url, stop := azurite(t)
	ask := func(key string) error {
		_, err := storage.Ask(t.Context(), storage.Connection{ConnectionString: accountAt(url, key)}, storage.Options{})
		return err
	}
	require.NoError(t, ask(azuriteKey), "there is no container yet, and that is an answer")
	err := ask("d3Jvbmcga2V5")
	require.Error(t, err)
	require.Contains(t, []probe.Verdict{probe.Unauthorized, probe.Forbidden}, probe.Of(err), "Azurite answers 403 where Azure does")
	require.NotContains(t, err.Error(), "d3Jvbmcga2V5")
	stop()
	require.Equal(t, probe.NoAnswer, probe.Of(ask(azuriteKey)))
}
