package writeprofile_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	writeprofile "github.com/relaybox/relaybox/functions/WriteProfile"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// A profile is written with its events. The entity tag of one answer guards the next
// write, an Idempotency-Key makes a write safe to repeat.
func Example() {
	store := &outboxtest.MemStore{}
	writer := outbox.NewWriter(store, outbox.WriterOptions{Source: "/example"})
	mux := azfunc.NewMux(azfunc.MuxOptions{})
	mux.HandleRoute([]string{"put", "patch", "delete"}, "api/profiles/{id}", writeprofile.New(writeprofile.Deps{Writer: writer}))

	send := func(method, body string, header ...string) {
		r := httptest.NewRequest(method, "/api/profiles/ada", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(strings.TrimSpace(fmt.Sprint(method, " ", w.Code, " ", w.Header().Get("ETag"))))
	}
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1") // the first answer again
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`)                           // changes nothing
	send(http.MethodPatch, `{"email":"ada@example.org"}`, "If-Match", `"1"`)
	send(http.MethodPatch, `{"bio":"late"}`, "If-Match", `"1"`) // somebody was faster
	send(http.MethodDelete, "")

	for _, e := range store.Events("ada") {
		fmt.Println(e.Seq, e.Type)
	}
	// Output:
	// PUT 201 "1"
	// PUT 201 "1"
	// PUT 200 "1"
	// PATCH 200 "2"
	// PATCH 412
	// DELETE 204
	// 1 relaybox.profile.created
	// 2 relaybox.profile.updated
	// 3 relaybox.profile.email-changed
	// 4 relaybox.profile.deleted
}
