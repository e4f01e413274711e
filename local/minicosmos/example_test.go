package minicosmos_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/local/minicosmos"
)

// A server in a program of its own; tests call RunT instead.
func Example() {
	server, err := minicosmos.Open(minicosmos.Options{}) // Dir: "…" keeps the data
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	ctx := context.Background()
	client, err := azcosmos.NewClientFromConnectionString(server.ConnectionString("http://"+listener.Addr().String()), nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "shop"}, nil); err != nil {
		log.Fatal(err)
	}
	shop, err := client.NewDatabase("shop")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := shop.CreateContainer(ctx, azcosmos.ContainerProperties{ID: "orders",
		PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/customer"}, Version: 2}}, nil); err != nil {
		log.Fatal(err)
	}
	orders, err := shop.NewContainer("orders")
	if err != nil {
		log.Fatal(err)
	}
	key := azcosmos.NewPartitionKeyString("ann")
	if _, err := orders.CreateItem(ctx, key, []byte(`{"id":"1","customer":"ann","total":12.5}`), nil); err != nil {
		log.Fatal(err)
	}
	page, err := orders.NewQueryItemsPager("SELECT c.id, c.total FROM c ORDER BY c.total", key, nil).NextPage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(page.Items[0]), len(server.Documents("shop", "orders")))

	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served)
	// Output:
	// {"id":"1","total":12.5} 1
	// <nil>
}
