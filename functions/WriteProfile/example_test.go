package writeprofile_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	writeprofile "github.com/relaybox/relaybox/functions/WriteProfile"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/profile"
)

// A profile is written with its events. The entity tag of one answer guards the next
// write, an Idempotency-Key makes a write safe to repeat.
func Example() {
	store := &outboxtest.MemStore{}
	writer := outbox.NewWriter(store, outbox.WriterOptions{Source: "/example"})
	kinds, _ := entity.NewKinds(profile.Kind)
	function, _ := writeprofile.New(entity.Deps{Writer: writer, Kinds: kinds})
	mux := azfunc.NewMux(azfunc.MuxOptions{})
	mux.HandleRoute([]string{"put", "patch", "delete"}, "api/profiles/{id}", function)

	var tag string // of the newest answer that had one
	send := func(method, body string, header ...string) {
		r := httptest.NewRequest(method, "/api/profiles/ada", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(strings.TrimSpace(fmt.Sprint(method, " ", w.Code, " ", version(w.Header().Get("ETag")))))
		tag = cmp.Or(w.Header().Get("ETag"), tag)
	}
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1") // the first answer again
	send(http.MethodPut, `{"displayName":"Ada","email":"ada@example.com"}`)                           // changes nothing
	first := tag
	send(http.MethodPatch, `{"email":"ada@example.org"}`, "If-Match", first)
	send(http.MethodPatch, `{"bio":"late"}`, "If-Match", first) // somebody was faster
	send(http.MethodDelete, "")

	for _, e := range store.Events("profile:ada") {
		fmt.Println(e.Seq, e.Type)
	}
	// Output:
	// PUT 201 1
	// PUT 201 1
	// PUT 200 1
	// PATCH 200 2
	// PATCH 412
	// DELETE 204
	// 1 relaybox.profile.created
	// 2 relaybox.profile.updated
	// 3 relaybox.profile.email-changed
	// 4 relaybox.profile.deleted
}

// version is what a person reads in an entity tag: what stands behind it is random.
func version(tag string) string {
	v, _, _ := strings.Cut(strings.Trim(tag, `"`), "-")
	return v
}
