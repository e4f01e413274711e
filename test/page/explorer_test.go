package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
)

// TestExplorer: a person finds a container, pages through it and asks queries.
func TestExplorer(t *testing.T) {
	t.Parallel()
	node, chromium, modules := needs(t)
	shots := os.Getenv(pageShots)
	if shots == "" {
		shots = t.TempDir()
	}
	store := minicosmos.RunT(t, func(o *minicosmos.Options) { o.Ranges = 3 })
	fill(t, store)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "explorer.mjs")
	cmd.Env = append(os.Environ(), "EXPLORER="+store.URL+"/relaybox/explorer/", "CHROMIUM="+chromium, "NODE_MODULES="+modules, "SHOTS="+shots)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// fill gives a store the container that explorer.mjs looks at.
func fill(t *testing.T, store *minicosmos.Instance) {
	t.Helper()
	client, err := azcosmos.NewClientFromConnectionString(store.ConnectionString(), nil)
	require.NoError(t, err)
	_, err = client.CreateDatabase(t.Context(), azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.NoError(t, err)
	db, err := client.NewDatabase("db")
	require.NoError(t, err)
	_, err = db.CreateContainer(t.Context(), azcosmos.ContainerProperties{ID: "things", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}}}, nil)
	require.NoError(t, err)
	things, err := db.NewContainer("things")
	require.NoError(t, err)
	for i := range 150 {
		id := fmt.Sprint(i)
		if i == 0 {
			id = "html"
		}
		document, err := json.Marshal(map[string]string{"id": id, "pk": fmt.Sprint(i % 7), "text": "<img src=x>"})
		require.NoError(t, err)
		_, err = things.CreateItem(t.Context(), azcosmos.NewPartitionKeyString(fmt.Sprint(i%7)), document, nil)
		require.NoError(t, err)
	}
}
