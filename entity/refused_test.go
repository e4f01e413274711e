package entity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
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

// note is a kind whose Apply does what it is given.
func note(t *testing.T, apply func() error) *entity.Kinds {
	t.Helper()
	type note struct {
		Text string `json:"text"`
	}
	kinds, err := entity.NewKinds(entity.Kind[note, entity.None]{Name: "note", Apply: func(v entity.None, _ entity.Change[note]) (entity.None, error) { return v, apply() }})
	require.NoError(t, err)
	return kinds
}

// delivered calls the function for the nth delivery of a message.
func delivered(t *testing.T, h http.Handler, body string, n int) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	sent := azfunc.EncodeMessage(azfunc.Call{Function: "ConsumeEvent", Binding: "event", Now: time.Now()},
		azfunc.Delivery{Message: azfunc.Message{Body: []byte(body), MessageID: "m1", DeliveryCount: n}}, azfunc.TextTwice)
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ConsumeEvent", bytes.NewReader(sent)))
	return answer
}

// What can never be applied is told as such, with its reason and the message, whether the
// event or the kind's own Apply is to blame: alerts look for it. An outage is not.
func TestRefusedEventsAreToldOf(t *testing.T) {
	t.Parallel()
	fine := func() error { return nil }
	for name, row := range map[string]struct {
		body   string
		apply  func() error
		err    error
		reason string
		status int
	}{
		"fine":             {body: noted, apply: fine, status: http.StatusOK},
		"unknown kind":     {body: strings.ReplaceAll(noted, "note", "memo"), apply: fine, reason: "unknown-kind", status: http.StatusInternalServerError},
		"apply refuses it": {body: noted, apply: func() error { return errors.New("no room for n1") }, reason: "not-applicable", status: http.StatusInternalServerError},
		"apply panics":     {body: noted, apply: func() error { panic("index out of range") }, reason: "panicked", status: http.StatusInternalServerError},
		"outage":           {body: noted, apply: fine, err: &inbox.Transient{Op: "load", Err: errors.New("away")}, status: http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			kinds := note(t, row.apply)
			answer := delivered(t, kinds.Consume("event", once{kinds, row.err}, slog.New(slog.NewJSONHandler(&said, nil))), row.body, 4)
			require.Equal(t, row.status, answer.Code, answer.Body)
			require.Equal(t, row.reason != "", strings.Contains(said.String(), `"signal":"refused"`), said.String())
			require.Equal(t, row.reason == "panicked", strings.Contains(said.String(), "refused_test.go"), "a stack that leads to the place")
			if row.reason != "" {
				for _, word := range []string{`"reason":"` + row.reason + `"`, `"message":"m1"`, `"delivery":4`} {
					require.Contains(t, said.String(), word)
				}
			}
		})
	}
}

// A hundred deliveries of what can never be applied take a minute and a half and seven
// lines, and those of what can be take no time.
func TestRefusedEventsGoBackSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		kinds := note(t, func() error { return nil })
		h := kinds.Consume("event", once{kinds: kinds}, slog.New(slog.NewJSONHandler(&said, nil)))
		begun := time.Now()
		for n := range 100 {
			require.Equal(t, http.StatusInternalServerError, delivered(t, h, "poison", n+1).Code)
		}
		require.InDelta(t, 95, time.Since(begun).Seconds(), 1)
		require.Equal(t, 7, strings.Count(said.String(), `"signal":"refused"`))
		begun = time.Now()
		require.Equal(t, http.StatusOK, delivered(t, h, strings.ReplaceAll(noted, "2026", "1999"), 128).Code, &said)
		require.Zero(t, time.Since(begun))
	})
}

// nobody is an inbox that must not be asked.
type nobody struct{ t *testing.T }

func (n nobody) Once(context.Context, inbox.Event) (inbox.Outcome, error) {
	n.t.Error("asked")
	return inbox.Applied, nil
}

// TestWhatIsRefusedReachesNoInbox, and neither does what another binding has sent.
func TestWhatIsRefusedReachesNoInbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kinds := note(t, func() error { return nil })
		log := slog.New(slog.DiscardHandler)
		require.Equal(t, http.StatusInternalServerError, delivered(t, kinds.Consume("event", nobody{t}, log), "poison", 1).Code)
		answer := delivered(t, kinds.Consume("another", nobody{t}, log), noted, 1)
		require.NotEqual(t, http.StatusOK, answer.Code, answer.Body)
	})
}

// TestAPanicIsToldOfSeldom, as its refusal is: a hundred stacks say no more than seven.
func TestAPanicIsToldOfSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		kinds := note(t, func() error { panic("index out of range") })
		h := kinds.Consume("event", once{kinds: kinds}, slog.New(slog.NewJSONHandler(&said, nil)))
		for n := range 8 {
			delivered(t, h, strings.ReplaceAll(noted, "2026", "1999"), n+1)
		}
		require.Equal(t, 4, strings.Count(said.String(), `"stack"`))
	})
}

// asked is an inbox that keeps what it is told to give up, and cannot.
type asked struct {
	once
	of []string
}

func (a *asked) GiveUp(_ context.Context, e inbox.Event, delivery int) error {
	a.of = append(a.of, fmt.Sprintf("%s %d on %d", e.Key, e.Seq, delivery))
	return errors.New("away")
}

// TestWhatIsGivenUp: an event that is refused for what it is, and known to be the one that it
// says it is. A fault never is, and what becomes of the note is not the message's business.
func TestWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	const data = `"data":{"id":"n1","state":{"text":"x"}}`
	fine := func() error { return nil }
	for name, row := range map[string]struct {
		body   string
		apply  func() error
		err    error
		reason inbox.Reason
		given  bool
	}{
		"bad data":         {body: strings.Replace(noted, data, `"data":7`, 1), apply: fine, reason: entity.BadData, given: true},
		"unknown event":    {body: strings.NewReplacer("note.created", "note.painted", data, `"data":{"id":"n1"}`).Replace(noted), apply: fine, reason: entity.UnknownEvent, given: true},
		"apply refuses it": {body: noted, apply: func() error { return errors.New("no room") }, reason: entity.NotApplicable, given: true},
		"apply panics":     {body: noted, apply: func() error { panic("index out of range") }, reason: entity.Panicked, given: true},
		"about another":    {body: strings.Replace(noted, `"id":"n1"`, `"id":"n2"`, 1), apply: fine, reason: entity.Disagreement},
		"unknown kind":     {body: strings.ReplaceAll(noted, "note", "memo"), apply: fine, reason: entity.UnknownKind},
		"no envelope":      {body: "poison", apply: fine, reason: inbox.BadEnvelope},
		"an outage":        {body: noted, apply: fine, err: &inbox.Transient{Op: "load", Err: errors.New("down")}, reason: ""},
		"conflicts":        {body: noted, apply: fine, err: inbox.ErrConflict, reason: ""},
		"no time":          {body: noted, apply: fine, err: context.DeadlineExceeded, reason: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kinds := note(t, row.apply)
			in := &asked{once: once{kinds, row.err}}
			var said bytes.Buffer
			answer := delivered(t, kinds.Consume("event", in, slog.New(slog.NewJSONHandler(&said, nil))), row.body, 8)
			require.Equal(t, http.StatusInternalServerError, answer.Code)
			require.Contains(t, said.String()+answer.Body.String(), string(row.reason))
			require.NotContains(t, answer.Body.String(), "away")
			require.Equal(t, row.given, len(in.of) == 1, "%v", in.of)
			if row.given {
				require.Equal(t, []string{"note:n1 1 on 8"}, in.of)
			}
		})
	}
}

// TestTheLastDeliveryOfPoison is noted, and not the one before it.
func TestTheLastDeliveryOfPoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var full error
		kinds := note(t, func() error { return full })
		store := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(store, kinds.Apply, inbox.Options{MaxDeliveries: 100, Hold: time.Minute, Observer: func(s inbox.Signal) { told = append(told, s) }})
		h := kinds.Consume("event", in, slog.New(slog.DiscardHandler))
		first := strings.ReplaceAll(noted, "2026", "1999")
		for _, id := range []string{"n1", "n2"} { // a note is made beside what came before
			require.Equal(t, http.StatusOK, delivered(t, h, strings.ReplaceAll(first, "n1", id), 1).Code)
		}
		body := strings.ReplaceAll(first, `"sequence":"1"`, `"sequence":"2"`)
		full = errors.New("no room")
		delivered(t, h, body, 99)
		require.Empty(t, told)
		delivered(t, h, body, 100)
		require.Len(t, told, 1)
		require.IsType(t, inbox.Gone{}, told[0])

		// A fault of the store on the last delivery proves nothing about its event, and the store is
		// back when the event is given back.
		begun := time.Now()
		store.Before = func(context.Context, string) error {
			if time.Since(begun) < time.Minute {
				return &inbox.Transient{Op: "load", Err: errors.New("down")}
			}
			return nil
		}
		told, full = nil, nil
		require.NotEqual(t, http.StatusOK, delivered(t, h, strings.ReplaceAll(body, "n1", "n2"), 100).Code)
		store.Before = nil
		m, err := store.Load(t.Context(), "note:n2")
		require.NoError(t, err)
		require.EqualValues(t, 1, m.LastSeq)
		require.Empty(t, m.Gone)
	})
}
