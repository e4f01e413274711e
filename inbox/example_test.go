package inbox_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// An event that comes twice, and one that comes too late, have one effect and none.
func Example() {
	ctx := context.Background()
	views := &inboxtest.MemStore{}
	in := inbox.New(views, func(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
		return append(model, e.Data...), nil // all data so far, one behind the other
	}, inbox.Options{})

	message := func(seq int, data string) []byte {
		return fmt.Appendf(nil, `{"specversion":"1.0","id":"e-%d","source":"/shop/order","type":"shop.order.placed",
			"subject":"o-1","partitionkey":"order:o-1","sequence":"%020d","datacontenttype":"application/json","data":%s}`, seq, seq, data)
	}
	for _, body := range [][]byte{message(2, `"two"`), message(2, `"two"`), message(1, `"one"`), message(3, `"three"`), []byte("hello")} {
		e, err := inbox.Decode(body)
		if err != nil {
			fmt.Println("refused:", inbox.ReasonOf(err))
			continue
		}
		outcome, err := in.Once(ctx, e)
		fmt.Println(e.Key, e.Seq, outcome, err)
	}
	m, err := views.Load(ctx, "order:o-1")
	fmt.Println(string(m.Data), err)
	// Output:
	// order:o-1 2 applied <nil>
	// order:o-1 2 duplicate <nil>
	// order:o-1 1 duplicate <nil>
	// order:o-1 3 applied <nil>
	// refused: bad-envelope
	// "two""three" <nil>
}
