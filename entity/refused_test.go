package entity_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
)

// once is an inbox that applies to nothing, or fails.
type once struct {
	kinds *entity.Kinds
	err   error
}

func (o once) Once(_ context.Context, e inbox.Event) (inbox.Outcome, error) {
	if o.err != nil {
		return 0, o.err
	}
	_, err := o.kinds.Apply(nil, e)
	return inbox.Applied, err
}

const noted = `{"specversion":"1.0","id":"e1","source":"/relaybox/note","type":"relaybox.note.created","subject":"n1","time":"2026-01-02T03:04:05Z",` +
	`"partitionkey":"note:n1","sequence":"1","incarnation":"a","incarnationfirst":"1","incarnationsince":"2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z","data":{"id":"n1","state":{"text":"x"}}}`

// What can never be applied is told as such, with its reason and the message, whether the
// event or the kind's own Apply is to blame: alerts look for it. An outage is not.
func TestRefusedEventsAreToldOf(t *testing.T) {
	t.Parallel()
	type note struct {
		Text string `json:"text"`
	}
	kind := func(err error) *entity.Kinds {
		kinds, fault := entity.NewKinds(entity.Kind[note, entity.None]{Name: "note", Apply: func(v entity.None, _ entity.Change[note]) (entity.None, error) { return v, err }})
		require.NoError(t, fault)
		return kinds
	}
	for name, row := range map[string]struct {
		body   string
		kinds  *entity.Kinds
		err    error
		reason string
		status int
	}{
		"fine":             {body: noted, kinds: kind(nil), status: http.StatusOK},
		"unknown kind":     {body: strings.ReplaceAll(noted, "note", "memo"), kinds: kind(nil), reason: "unknown-kind", status: http.StatusInternalServerError},
		"apply refuses it": {body: noted, kinds: kind(errors.New("no room for n1")), reason: "not-applicable", status: http.StatusInternalServerError},
		"outage":           {body: noted, kinds: kind(nil), err: &inbox.Transient{Op: "load", Err: errors.New("away")}, status: http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			h := row.kinds.Consume("event", once{row.kinds, row.err}, slog.New(slog.NewJSONHandler(&said, nil)))
			answer := httptest.NewRecorder()
			body := azfunc.EncodeMessage(azfunc.Call{Function: "ConsumeEvent", Binding: "event", Now: time.Now()},
				azfunc.Delivery{Message: azfunc.Message{Body: []byte(row.body), MessageID: "m1", DeliveryCount: 3}}, azfunc.TextTwice)
			h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ConsumeEvent", bytes.NewReader(body)))
			require.Equal(t, row.status, answer.Code, answer.Body)
			require.Equal(t, row.reason != "", strings.Contains(said.String(), `"signal":"refused"`), said.String())
			if row.reason != "" {
				for _, word := range []string{`"reason":"` + row.reason + `"`, `"message":"m1"`, `"delivery":3`} {
					require.Contains(t, said.String(), word)
				}
			}
		})
	}
}
