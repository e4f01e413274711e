package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// A change and its event are stored in one batch; the dispatcher sends what is stored.
func Example() {
	ctx := context.Background()
	store, broker := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	writer := outbox.NewWriter(store, outbox.WriterOptions{Source: "/shop"})
	dispatcher := outbox.NewDispatcher(store, broker, outbox.DispatcherOptions{})

	answer, err := writer.Write(ctx, outbox.Request{
		Key: outbox.Key("order", "o-1"),
		Decide: func(cur outbox.Entity) (outbox.Decision, error) {
			return outbox.Decision{
				Status: 201, Data: json.RawMessage(`{"cents":100}`),
				Events: []outbox.Draft{{Type: "shop.order.placed", Data: map[string]int{"cents": 100}}},
			}, nil
		},
		Render: func(e outbox.Entity, status int) outbox.Answer { return outbox.Answer{Status: status, Body: e.Data} },
	})
	fmt.Println(answer.Status, string(answer.Body), err)

	report, err := dispatcher.Sweep(ctx)
	fmt.Println(report.Settled, "event sent,", err)
	for _, e := range broker.Log() {
		fmt.Println(e.Key, e.Seq, e.Type)
	}
	// Output:
	// 201 {"cents":100} <nil>
	// 1 event sent, <nil>
	// order:o-1 1 shop.order.placed
}

// A request that is repeated under its Idempotency-Key gets the first answer.
func ExampleWriter_Write() {
	store := &outboxtest.MemStore{}
	writer := outbox.NewWriter(store, outbox.WriterOptions{Source: "/shop"})
	count := outbox.Request{
		Key: outbox.Key("counter", "c-1"), IdempotencyKey: "k-1", RequestHash: "count",
		Decide: func(cur outbox.Entity) (outbox.Decision, error) {
			return outbox.Decision{Status: 200, Data: json.RawMessage(`{}`), Events: []outbox.Draft{{Type: "counted"}}}, nil
		},
		Render: func(e outbox.Entity, status int) outbox.Answer {
			return outbox.Answer{Status: status, Body: json.RawMessage(fmt.Sprint(e.Version))}
		},
	}
	for range 2 {
		answer, err := writer.Write(context.Background(), count)
		fmt.Println(answer.Status, string(answer.Body), err)
	}
	count.RequestHash = "count by two"
	_, err := writer.Write(context.Background(), count)
	fmt.Println(err)
	// Output:
	// 200 1 <nil>
	// 200 1 <nil>
	// the idempotency key was used for another request
}
