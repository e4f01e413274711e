package rules_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
)

// read is a file of the tree.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

func parse[T any](t *testing.T, name string) T {
	t.Helper()
	var v T
	require.NoError(t, yaml.Unmarshal([]byte(read(t, name)), &v))
	return v
}

// TestAzdFindsTheApp: azd deploys to the function app that carries the name of the service.
func TestAzdFindsTheApp(t *testing.T) {
	t.Parallel()
	type script struct{ Shell, Run string }
	azd := parse[struct {
		Infra    struct{ Provider, Path, Module string }
		Services map[string]struct {
			Project, Language, Host, Dist string
			Hooks                         map[string]struct{ Posix, Windows script }
		}
	}](t, "azure.yaml")
	require.Len(t, azd.Services, 1)
	app := azd.Services["app"]
	require.Equal(t, "custom", app.Language, "azd's go leaves function.json out")
	require.Equal(t, "function", app.Host)
	require.Equal(t, "dist/app.zip", app.Dist)
	hook := app.Hooks["prepackage"]
	for _, s := range []script{hook.Posix, hook.Windows} {
		require.Contains(t, s.Run, "relaybox assemble --os linux --arch amd64 --zip "+app.Dist)
		require.NotContains(t, s.Run, "--out", "the default is dist/app")
	}
	require.FileExists(t, filepath.Join(root(t), azd.Infra.Path, azd.Infra.Module+".bicep"))
	require.FileExists(t, filepath.Join(root(t), azd.Infra.Path, azd.Infra.Module+".bicepparam"))
	require.Contains(t, read(t, azd.Infra.Path+"/resources.bicep"), "azdServiceName: 'app'")
}

type composeFile struct {
	Services map[string]struct {
		Image, Command string
		Environment    map[string]string
		Ports, Volumes []string
		HealthCheck    struct{ Test []string } `yaml:"healthcheck"`
	}
}

// TestEmulatorsAnswerWhereTheExampleLooks, on this machine only.
func TestEmulatorsAnswerWhereTheExampleLooks(t *testing.T) {
	t.Parallel()
	compose, example := parse[composeFile](t, "compose.yaml"), exampleSettings(t)
	published := map[string]bool{}
	for name, service := range compose.Services {
		require.NotEmpty(t, service.Image, name)
		for _, port := range service.Ports {
			host, ok := strings.CutPrefix(port, "127.0.0.1:")
			require.True(t, ok, "%s publishes %s to the network", name, port)
			published[strings.Split(host, ":")[0]] = true
		}
		// A service either asks itself, or the last one asks it.
		asked := strings.Join(compose.Services["ready"].HealthCheck.Test, " ")
		require.True(t, len(service.HealthCheck.Test) > 0 || strings.Contains(asked, "http://"+name+":"), "%s has no health check", name)
	}
	store := regexp.MustCompile(`AccountEndpoint=([^;]+)`).FindStringSubmatch(example["COSMOS_CONNECTION"])
	endpoint, err := url.Parse(store[1])
	require.NoError(t, err)
	require.True(t, published[endpoint.Port()])
	require.Equal(t, "http", endpoint.Scheme)
	require.Equal(t, "http", compose.Services["cosmos"].Environment["PROTOCOL"])
	// No port: both the Go and the .NET client take 5672 then.
	require.Contains(t, example["SERVICEBUS_CONNECTION"], "Endpoint=sb://127.0.0.1;")
	require.Contains(t, example["SERVICEBUS_CONNECTION"], "UseDevelopmentEmulator=true")
	require.Equal(t, "UseDevelopmentStorage=true", example["AzureWebJobsStorage"])
	for _, port := range []string{"5672", "5300", "10000", "10001", "10002"} {
		require.True(t, published[port], port)
	}
	for _, name := range []string{"servicebus", "servicebus-sql"} {
		require.Contains(t, compose.Services[name].Environment["ACCEPT_EULA"], "${ACCEPT_EULA:?", "a licence is accepted by a person")
		require.Contains(t, compose.Services[name].Environment["MSSQL_SA_PASSWORD"], "${MSSQL_SA_PASSWORD:?", "a password is no part of a file")
	}
	require.Contains(t, compose.Services["servicebus"].Volumes[0], "./infra/emulators/servicebus.json:/ServiceBus_Emulator/ConfigFiles/Config.json")
}

// TestEmulatorTopologyIsTheProtocols: minibus holds the file against the limits of the
// official emulator.
func TestEmulatorTopologyIsTheProtocols(t *testing.T) {
	t.Parallel()
	config, err := minibus.LoadConfig(strings.NewReader(read(t, "infra/emulators/servicebus.json")))
	require.NoError(t, err)
	example := exampleSettings(t)
	require.Len(t, config.Topics, 1)
	topic := config.Topics[0]
	require.Equal(t, example["EVENTS_TOPIC"], topic.Name)
	require.True(t, topic.RequiresDuplicateDetection)
	consumers, err := stack.Consumers(filepath.Join(root(t), "functions"), example)
	require.NoError(t, err)
	require.NotEmpty(t, consumers)
	wanted := append([]stack.Subscription{{Name: example["EVENTS_SUBSCRIPTION"]}}, consumers...)
	require.Len(t, topic.Subscriptions, len(wanted))
	for i, s := range topic.Subscriptions {
		require.Equal(t, wanted[i].Name, s.Name)
		require.False(t, s.RequiresSession)
		require.Equal(t, 10, s.MaxDeliveryCount, "the most that the emulator allows")
		require.True(t, s.DeadLetteringOnMessageExpiration)
		if wanted[i].Rule == "" {
			require.Nil(t, s.Rules, "everything")
			continue
		}
		require.Equal(t, []minibus.Rule{{Name: stack.RuleName, SQL: wanted[i].Rule}}, s.Rules)
	}
}

// TestWorkflowStoresNoSecret: GitHub signs in by OpenID Connect.
func TestWorkflowStoresNoSecret(t *testing.T) {
	t.Parallel()
	text := read(t, ".github/workflows/deploy.yml")
	require.NotContains(t, text, "secrets.")
	type job struct {
		Permissions map[string]string
		Environment string
		Steps       []struct{ Uses, Run string }
	}
	workflow := parse[struct {
		Permissions map[string]string
		Jobs        map[string]job
	}](t, ".github/workflows/deploy.yml")
	require.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions)
	for name, j := range workflow.Jobs {
		signsIn := false
		for _, s := range j.Steps {
			signsIn = signsIn || strings.HasPrefix(s.Uses, "azure/login@")
		}
		require.Equal(t, signsIn, j.Permissions["id-token"] == "write", name)
		require.Equal(t, signsIn, j.Environment != "", "%s: what signs in belongs to an environment, which can ask for a review", name)
	}
	for _, file := range regexp.MustCompile(`infra/bicep/\$ENVIRONMENT\.bicepparam`).FindAllString(text, -1) {
		for _, environment := range []string{"dev", "prod"} {
			require.FileExists(t, filepath.Join(root(t), strings.Replace(file, "$ENVIRONMENT", environment, 1)))
		}
	}
}
