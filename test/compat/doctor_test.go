package compat_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/local/stack"
)

// TestDoctorBesideARealStorage: our servers, the app, and Azurite where func and Azure want a
// storage account. Doctor refuses nothing and leaves what a host keeps there as it was.
func TestDoctorBesideARealStorage(t *testing.T) {
	t.Parallel()
	needsAzurite(t)
	app := filepath.Join(t.TempDir(), "app")
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, app))
	url, _ := azurite(t)
	account := accountAt(url, azuriteKey)
	lock := lockOfAHost(t, account)
	s := stack.RunT(t, func(c *stack.Config) {
		c.App, c.BusAdminAddr = app, "127.0.0.1:0"
		c.Settings = map[string]string{"AzureWebJobsStorage": account}
	})
	put(t, s.HostURL+"/api/profiles/compat")

	for name, value := range map[string]string{"a port of its own": account, "the shorthand": "UseDevelopmentStorage=true"} {
		report := doctor.Run(t.Context(), doctor.Options{
			Settings: settingsFile(t, s.Settings, value), App: app, BusAdmin: s.BusAdminAddr,
			Environment: map[string]string{}, Transport: inPlaceOfThePublicPort{strings.TrimPrefix(url, "http://")},
		})
		var said strings.Builder
		require.NoError(t, report.Print(&said, false))
		require.Zero(t, report.ExitStatus(), "%s:\n%s", name, &said)
		require.Regexp(t, `(?m)^  ok +AzureWebJobsStorage .*lets us in$`, said.String(), name)
		require.NotContains(t, said.String(), azuriteKey)
	}

	_, err = lock.RenewLease(t.Context(), nil)
	require.NoError(t, err, "the host has lost its lock")
}

// lockOfAHost makes what a running Functions host has made: its container, and in it a lock
// blob under a lease.
func lockOfAHost(t *testing.T, account string) *lease.BlobClient {
	t.Helper()
	host, err := container.NewClientFromConnectionString(account, "azure-webjobs-hosts", nil)
	require.NoError(t, err)
	_, err = host.Create(t.Context(), nil)
	require.NoError(t, err)
	file := host.NewBlockBlobClient("locks/relaybox/host")
	_, err = file.UploadBuffer(t.Context(), nil, nil)
	require.NoError(t, err)
	client, err := lease.NewBlobClient(file, nil)
	require.NoError(t, err)
	_, err = client.AcquireLease(t.Context(), 60, nil)
	require.NoError(t, err)
	return client
}

// put writes a profile, so that the app has made its containers.
func put(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(`{"displayName":"Compat"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusCreated, resp.StatusCode)
}

// settingsFile writes a local.settings.json of what is set.
func settingsFile(t *testing.T, settings map[string]string, storage string) string {
	t.Helper()
	values := map[string]string{}
	for name, value := range settings {
		if value != "" {
			values[name] = value
		}
	}
	values["AzureWebJobsStorage"] = storage
	text, err := json.Marshal(map[string]any{"Values": values})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "local.settings.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// inPlaceOfThePublicPort leads requests for Azurite's usual port to one at addr: a test
// takes no fixed port.
type inPlaceOfThePublicPort struct{ addr string }

func (p inPlaceOfThePublicPort) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "127.0.0.1:10000" {
		req = req.Clone(req.Context())
		req.URL.Host = p.addr
	}
	return http.DefaultTransport.RoundTrip(req)
}
