package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"

	"github.com/relaybox/relaybox/azure/cosmos"
)

// inAzure are the settings of an app in Azure: no key in them.
func inAzure() map[string]string {
	return map[string]string{
		"AzureWebJobsStorage__accountName": "box", "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=0",
		"COSMOS_CONNECTION__accountEndpoint": "https://box.documents.azure.com/", "COSMOS_CONNECTION__credential": "managedidentity", "COSMOS_CONNECTION__clientId": "id",
		"COSMOS_DATABASE": "relaybox", "COSMOS_OUTBOX_CONTAINER": "entities", "COSMOS_INBOX_CONTAINER": "views",
		"SERVICEBUS_CONNECTION__fullyQualifiedNamespace": "box.servicebus.windows.net", "SERVICEBUS_CONNECTION__credential": "managedidentity", "SERVICEBUS_CONNECTION__clientId": "id",
		"EVENTS_TOPIC": "entity-events", "EVENTS_SUBSCRIPTION": "views", "DISPATCH_SCHEDULE": "0 * * * * *",
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	local := func(m map[string]string) { m["FUNCTIONS_WORKER_RUNTIME"] = "custom" }
	const azureKey = "Endpoint=sb://box.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0"
	for name, row := range map[string]struct {
		azure   bool
		change  func(map[string]string)
		subject string
		want    wanted
	}{
		"as in Azure":       {true, func(map[string]string) {}, "", wanted{}},
		"as here":           {false, local, "", wanted{}},
		"no runtime here":   {false, func(map[string]string) {}, "FUNCTIONS_WORKER_RUNTIME", wanted{Warning, "func start refuses", "custom"}},
		"no database":       {true, func(m map[string]string) { delete(m, "COSMOS_DATABASE") }, "COSMOS_DATABASE", wanted{Refused, "is not set", "name the database"}},
		"no subscription":   {true, func(m map[string]string) { delete(m, "EVENTS_SUBSCRIPTION") }, "EVENTS_SUBSCRIPTION", wanted{Refused, "is not set", "local.settings.json.example"}},
		"no schedule":       {true, func(m map[string]string) { m["DISPATCH_SCHEDULE"] = "" }, "DISPATCH_SCHEDULE", wanted{Refused, "is not set", "local.settings.json.example"}},
		"no account":        {true, func(m map[string]string) { delete(m, "COSMOS_CONNECTION__accountEndpoint") }, "COSMOS_CONNECTION", wanted{Refused, "is not usable", "in Azure set COSMOS_CONNECTION__accountEndpoint"}},
		"unreadable":        {true, func(m map[string]string) { m["RELAYBOX_SWEEP_BUDGET"] = "soon" }, "RELAYBOX_SWEEP_BUDGET", wanted{Refused, "cannot be read", "30s or 4m30s"}},
		"out of range":      {true, func(m map[string]string) { m["RELAYBOX_PARK_AFTER"] = "11" }, "RELAYBOX_PARK_AFTER", wanted{Refused, "is 11", "from 2 to 10"}},
		"a slip of the pen": {true, func(m map[string]string) { m["RELAYBOX_SWEEP_BUDGT"] = "9s" }, "RELAYBOX_SWEEP_BUDGT", wanted{Warning, "nothing reads it", "correct its name"}},
		"a key":             {true, func(m map[string]string) { busKey(m, azureKey) }, "SERVICEBUS_CONNECTION", wanted{Warning, "holds a key", "SERVICEBUS_CONNECTION__fullyQualifiedNamespace"}},
		"a storage key":     {true, func(m map[string]string) { m["AzureWebJobsStorage"] = "AccountName=box;AccountKey=c2VjcmV0" }, "AzureWebJobsStorage", wanted{Warning, "holds a key", "AzureWebJobsStorage__accountName"}},
		"the worker":        {true, local, "FUNCTIONS_WORKER_RUNTIME", wanted{Refused, "Flex Consumption", "remove it"}},
		"a time zone":       {true, func(m map[string]string) { m["TZ"] = "UTC" }, "TZ", wanted{Refused, "Flex Consumption", "remove it"}},
		"no telemetry":      {true, func(m map[string]string) { delete(m, "APPLICATIONINSIGHTS_CONNECTION_STRING") }, "APPLICATIONINSIGHTS_CONNECTION_STRING", wanted{Warning, "no alert fires", "infra/bicep"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := inAzure()
			row.change(values)
			list := CheckSettings(Settings{Source: "s", Azure: row.azure, File: values, Values: values})
			requireFinding(t, row.want, list)
			for _, f := range list {
				require.NotContains(t, f.Found+f.Remedy, "c2VjcmV0")
				if f.Status != OK {
					require.Equal(t, row.subject, f.Subject)
				}
			}
		})
	}
}

func busKey(m map[string]string, connection string) {
	for _, part := range []string{"fullyQualifiedNamespace", "credential", "clientId"} {
		delete(m, "SERVICEBUS_CONNECTION__"+part)
	}
	m["SERVICEBUS_CONNECTION"] = connection
}

func TestTheEnvironmentWins(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"name":"A","value":"file","slotSetting":false},{"name":"B","value":"file"}]`), 0o600))
	s, err := readSettings(file, map[string]string{"A": "env", "PATH": "/bin"})
	require.NoError(t, err)
	require.True(t, s.Azure)
	require.Equal(t, map[string]string{"A": "env", "B": "file", "PATH": "/bin"}, s.Values)
	require.Equal(t, []string{"A"}, s.overridden())

	list := checkAzure(s)
	at := slices.IndexFunc(list, func(f Finding) bool { return f.Subject == "environment" })
	require.Contains(t, list[at].Found, "replaces A of the file")
}

func TestParseSettings(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text  string
		azure bool
		want  map[string]string
		fault string
	}{
		"local":       {text: "\xef\xbb\xbf{\"IsEncrypted\":false, // comment\n\"Values\":{\"A\":\"1\"}}", want: map[string]string{"A": "1"}},
		"azure":       {text: ` [{"name":"A","slotSetting":false,"value":"1"}]`, azure: true, want: map[string]string{"A": "1"}},
		"encrypted":   {text: `{"IsEncrypted":true,"Values":{"A":"x"}}`, fault: "func settings decrypt"},
		"redacted":    {text: `[{"name":"A","value":null}]`, azure: true, fault: "the value of A is left out"},
		"no settings": {text: `secret`, fault: "not a local.settings.json"},
		"no strings":  {text: `{"Values":{"A":{"secret":1}}}`, fault: "object of strings"},
		"other list":  {text: `["secret"]`, azure: true, fault: "appsettings list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values, azure, err := parseSettings([]byte(row.text))
			if row.fault != "" {
				require.ErrorContains(t, err, row.fault)
				require.NotContains(t, err.Error(), "secret")
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.azure, azure)
			require.Equal(t, row.want, values)
		})
	}
}

func TestSettingsWithoutAFile(t *testing.T) {
	t.Parallel()
	s, err := readSettings("", map[string]string{"A": "1"}) // this folder holds no local.settings.json
	require.NoError(t, err)
	require.Equal(t, "environment", s.Source)
	require.Equal(t, map[string]string{"A": "1"}, s.Values)

	_, err = readSettings(filepath.Join(t.TempDir(), "none.json"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What the emulators' example holds is no secret, and complete.
func TestTheExampleIsFine(t *testing.T) {
	t.Parallel()
	s, err := readSettings(filepath.Join("..", "..", "..", "local.settings.json.example"), nil)
	require.NoError(t, err)
	requireFinding(t, wanted{}, CheckSettings(s))
	require.True(t, cosmos.Connection{ConnectionString: s.Values["COSMOS_CONNECTION"]}.Emulator())
}

// TestSettingsOfAStackThatRuns go over a local.settings.json and over this environment: they
// are what its app has.
func TestSettingsOfAStackThatRuns(t *testing.T) {
	t.Parallel()
	home, data := t.TempDir(), t.TempDir()
	write(t, filepath.Join(home, "local.settings.json"), `{"Values":{"COSMOS_DATABASE":"of the file"}}`)
	o := Options{Home: home, Environment: map[string]string{"EVENTS_TOPIC": "of the environment"}}
	s, err := o.read()
	require.NoError(t, err)
	require.Equal(t, "of the file", s.Values["COSMOS_DATABASE"])
	require.Equal(t, "of the environment", s.Values["EVENTS_TOPIC"])

	stand := stack.RunT(t, func(c *stack.Config) {
		c.Only, c.Data, c.BusAdminAddr = []stack.Part{stack.Cosmos, stack.Bus}, filepath.Join(home, ".relaybox"), "127.0.0.1:0"
	})
	s, err = o.read()
	require.NoError(t, err)
	require.Equal(t, "relaybox", s.Values["COSMOS_DATABASE"])
	require.Equal(t, "entity-events", s.Values["EVENTS_TOPIC"])
	require.Equal(t, stand.CosmosConnection, s.Values["COSMOS_CONNECTION"])
	require.Equal(t, stand.BusAdminAddr, s.busAdmin)
	require.Contains(t, s.Source, "relaybox up on "+home)
	consumer, err := o.Consumer()
	require.NoError(t, err)
	require.Equal(t, []string{stand.BusConnection, "entity-events", "read-models"}, []string{consumer.Connection.ConnectionString, consumer.Topic, consumer.Subscription})
	entities, err := o.Entities()
	require.NoError(t, err)
	require.Equal(t, stand.CosmosConnection, entities.Connection.ConnectionString)

	// Who names a data folder means that one, and who names a file means the file.
	_, err = Options{Home: home, Data: data}.read()
	require.ErrorIs(t, err, stack.ErrNotRunning)
	s, err = Options{Home: home, Settings: filepath.Join(home, "local.settings.json")}.read()
	require.NoError(t, err)
	require.Equal(t, "of the file", s.Values["COSMOS_DATABASE"])
}

// TestEntities, with containers of their own, where nothing else is known.
func TestEntities(t *testing.T) {
	t.Parallel()
	o := Options{Home: t.TempDir(), Environment: map[string]string{
		"COSMOS_CONNECTION__accountEndpoint": "https://a.documents.azure.com/", "COSMOS_DATABASE": "d", "COSMOS_OUTBOX_CONTAINER": "o",
		"COSMOS_KIND_CONTAINERS": "order=orders/order-views,invoice=orders/invoice-views",
	}}
	e, err := o.Entities()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"order": "orders", "invoice": "orders"}, e.Own)
	require.NotNil(t, e.Credential)
	require.Equal(t, "d/o and orders on a.documents.azure.com", e.String())
}
