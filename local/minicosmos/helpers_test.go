package minicosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"
)

// outboxLike is a container's properties as the users of this package set them.
func outboxLike(id string) azcosmos.ContainerProperties {
	never := int32(-1)
	return azcosmos.ContainerProperties{
		ID:                     id,
		DefaultTimeToLive:      &never,
		PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Kind: azcosmos.PartitionKeyKindHash, Paths: []string{"/pk"}, Version: 2},
		IndexingPolicy: &azcosmos.IndexingPolicy{
			Automatic: true, IndexingMode: azcosmos.IndexingModeConsistent,
			ExcludedPaths: []azcosmos.ExcludedPath{{Path: "/*"}},
			IncludedPaths: []azcosmos.IncludedPath{{Path: "/pk/?"}, {Path: "/pending/?"}, {Path: "/parked/?"}, {Path: "/seq/?"}},
		},
	}
}

// connect returns a client that retries nothing, so that a test sees each answer.
func connect(t testing.TB, connectionString string) *azcosmos.Client {
	t.Helper()
	client, err := azcosmos.NewClientFromConnectionString(connectionString, &azcosmos.ClientOptions{
		ClientOptions: azcore.ClientOptions{Retry: azpolicy.RetryOptions{MaxRetries: -1}}})
	require.NoError(t, err)
	return client
}

// newContainer starts a server and creates a database and a container for the test.
func startContainer(t testing.TB, properties azcosmos.ContainerProperties, options ...func(*Options)) (*Instance, *azcosmos.ContainerClient) {
	t.Helper()
	s := RunT(t, options...)
	client := connect(t, s.ConnectionString())
	_, err := client.CreateDatabase(context.Background(), azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.NoError(t, err)
	db, err := client.NewDatabase("db")
	require.NoError(t, err)
	_, err = db.CreateContainer(context.Background(), properties, nil)
	require.NoError(t, err)
	c, err := db.NewContainer(properties.ID)
	require.NoError(t, err)
	return s, c
}

func pk(key string) azcosmos.PartitionKey { return azcosmos.NewPartitionKeyString(key) }

func doc(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

type m = map[string]any

// status is the HTTP status of an SDK error, 0 for no error.
func status(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var response *azcore.ResponseError
	require.True(t, errors.As(err, &response), "%v", err)
	return response.StatusCode
}

// query drains a query and returns its results as JSON texts.
func query(t testing.TB, c *azcosmos.ContainerClient, text string, key azcosmos.PartitionKey, o *azcosmos.QueryOptions) ([]string, error) {
	t.Helper()
	var all []string
	for pager := c.NewQueryItemsPager(text, key, o); pager.More(); {
		page, err := pager.NextPage(context.Background())
		if err != nil {
			return all, err
		}
		require.Positive(t, page.RequestCharge)
		for _, item := range page.Items {
			all = append(all, string(item))
		}
	}
	return all, nil
}

func batchStatuses(r azcosmos.TransactionalBatchResponse) string {
	var codes []int32
	for _, o := range r.OperationResults {
		codes = append(codes, o.StatusCode)
	}
	return fmt.Sprint(codes)
}
